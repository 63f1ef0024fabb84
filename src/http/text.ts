import { z } from 'zod'

/** The number of characters: Unicode code points, not UTF-16 code units. */
export function characterCount(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

/** The schema of text that people write. Limits are in characters after NFC; a `min` refuses blank text too. */
export function text({ min = 0, max }: { min?: number; max: number }) {
  return z
    .string()
    .overwrite((value) => value.normalize('NFC'))
    .check(({ value, issues }) => {
      const refuse = (message: string) => void issues.push({ code: 'custom', message, input: value })
      if (!value.isWellFormed()) {
        refuse('Must not contain an unpaired surrogate.')
        return
      }
      const length = characterCount(value)
      if (length < min || length > max) refuse(`Must have ${min === 0 ? 'at most' : `${min} to`} ${max} characters.`)
      else if (min > 0 && /^[\s\p{White_Space}]*$/u.test(value)) refuse('Must not consist of white space only.')
      if (/[^\P{Cc}\n\t]/u.test(value)) refuse('Must not contain control characters other than newline and tab.')
    })
    .meta({ ...(min > 0 && { minLength: min }), maxLength: max })
}
