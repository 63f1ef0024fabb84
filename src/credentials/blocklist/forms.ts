import { normalisePassword } from '../hashing.ts'
import { foldConfusables } from './confusables.ts'

/** The most digits and symbols that are left out at the ends: eight digits have 10^8 values. */
const trimmedMax = 8

const lookAlikes = { '0': 'o', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '@': 'a', $: 's', '+': 't' }
const readings = ['i', 'l'].map((one) => new Map(Object.entries({ ...lookAlikes, '1': one, '!': one })))

/** Letters and digits only, in lower case: what the list holds. */
export const canonical = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '')

const isReplaced = /[0134578@$+!]/
const replaceLookAlikes = (text: string, reading: ReadonlyMap<string, string>) =>
  Array.from(text, (character) => reading.get(character) ?? character).join('')

/** The parts between separators; an apostrophe is none. */
const split = (text: string): string[] => text.replace(/['’]/g, '').match(/[\p{L}\p{N}]+/gu) ?? []

function repeatedPart(form: string): string {
  return form.slice(0, `${form}${form}`.indexOf(form, 1))
}

export type Form = { text: string; parts: readonly string[] }

/** The text itself, and without digits and symbols at its ends. */
function basesOf(lower: string): string[] {
  const symbols = lower.replace(/[\p{L}\p{N}]+/gu, '')
  if (symbols.length > trimmedMax && new Set(symbols).size > 2) return []
  const trimmed = lower.replace(/^[^\p{L}@$]+/u, '').replace(/[^\p{L}@$]+$/u, '')
  return lower.length - trimmed.length <= trimmedMax ? [lower, trimmed] : [lower]
}

/** What cracking rules would make of a password. None if its many different symbols make it hard to guess. */
export function formsOf(password: string): Form[] {
  const normalised = normalisePassword(password)
  const spellings = new Set([normalised, foldConfusables(normalised)].map((text) => text.toLowerCase()))
  const forms = new Map<string, readonly string[]>()
  for (const base of new Set([...spellings].flatMap(basesOf))) {
    const read = isReplaced.test(base) ? readings.map((reading) => replaceLookAlikes(base, reading)) : []
    for (const text of [base, ...read]) {
      const parts = split(text)
      const form = parts.join('')
      const part = repeatedPart(form)
      forms.set(form, parts)
      if (part !== form) forms.set(part, [part])
    }
  }
  return Array.from(forms, ([text, parts]) => ({ text, parts }))
}
