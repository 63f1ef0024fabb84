import { z } from 'zod'

/** The number of characters: Unicode code points, not UTF-16 code units. */
export function characterCount(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

/** Without counting those of a text that is far longer: each has at most two UTF-16 code units. */
export const hasMoreThan = (max: number, text: string): boolean =>
  text.length > 2 * max || (text.length > max && characterCount(text) > max)

/** NFC and NFKC compose at most so many code points into one: U+1F82 has four (UAX #15, "Maximum Expansion Factors"). */
const maxComposed = 4
/** Far more than any script puts on one letter: 30 by the Stream-Safe Text Format (UAX #15). */
const longMarks = /(?<!\p{M})\p{M}{128}/u

/**
 * Whether a text is longer than `max` characters even after NFC or NFKC, found without normalising it: a run of combining
 * marks takes quadratic time, 0.1 s for 16 KiB. If this is false, normalising takes less than a millisecond.
 */
export function isLongerThan(max: number, text: string): boolean {
  if (text.length <= max) return false
  if (text.length > 2 * maxComposed * max) return true
  const count = characterCount(text)
  return count > maxComposed * max || (count > max && longMarks.test(text))
}

/** Fillers are ignorable, but for four blank symbols: the Braille pattern, the note head, and two hieroglyphs. */
const visible =
  /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{M}\p{Noncharacter_Code_Point}\u2800\u{13441}\u{13442}\u{1D159}]/u
const controlOrLineBreak = /[\p{Cc}\p{Zl}\p{Zp}]/u
/** Embeddings, overrides and isolates: they could reorder what stands around a name. Marks (U+200E) cannot. */
const bidirectional = /[\u202a-\u202e\u2066-\u2069]/

type Limits = {
  /** In characters after NFC. At least 1 requires a visible one, too. */
  min?: number
  max: number
}

/** What every text must keep to. CRLF is taken as LF. */
function written({ min = 0, max }: Limits, faultsOf: (value: string) => string[]) {
  return z
    .string()
    .overwrite((value) => {
      const lines = value.replaceAll('\r\n', '\n')
      return isLongerThan(max, lines) ? lines : lines.normalize('NFC')
    })
    .check(({ value, issues }) => {
      const refuse = (message: string) => void issues.push({ code: 'custom', message, input: value })
      if (!value.isWellFormed()) {
        refuse('Must not contain an unpaired surrogate.')
        return
      }
      const length = characterCount(value)
      if (length < min || length > max) refuse(`Must have ${min === 0 ? 'at most' : `${min} to`} ${max} characters.`)
      else if (min > 0 && !visible.test(value)) refuse('Must have at least one visible character.')
      for (const fault of faultsOf(value)) refuse(fault)
    })
    .meta({ ...(min > 0 && { minLength: min }), maxLength: max })
}

/** The schema of text that people write, on several lines. */
export function text(limits: Limits) {
  return written(limits, (value) =>
    /[^\P{Cc}\n\t]/u.test(value) ? ['Must not contain control characters other than newline and tab.'] : [],
  )
}

/** The schema of a name that people give themselves: one line, which leaves the text around it alone. */
export function name({ max }: { max: number }) {
  return written({ min: 1, max }, (value) => [
    ...(controlOrLineBreak.test(value) ? ['Must not contain control characters or line breaks.'] : []),
    ...(bidirectional.test(value) ? ['Must not contain bidirectional overrides, embeddings or isolates.'] : []),
  ])
}
