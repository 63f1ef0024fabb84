import { readFileSync } from 'node:fs'

/** English has 1.0 to 1.3 bits for each letter (Shannon 1951): a phrase of more letters needs over 10^8 guesses. */
const lettersMax = 32
/** Eight digits have 10^8 values. */
const digitsMax = 8

/** Three random names of 1,500 are more than 10^8 guesses. */
const namesMax = 2

const linesOf = (file: string) =>
  readFileSync(new URL(file, import.meta.url), 'utf8')
    .trim()
    .split('\n')
const words = linesOf('./common-words.txt')
const names = new Set(linesOf('./common-names.txt'))
const pronouns = ['i', 'you', 'he', 'she', 'it', 'we', 'they', 'that', 'there', 'who']
const commonWords = new Set([
  // The source counts these two as no words.
  'a',
  'i',
  ...words,
  ...linesOf('./pattern-words.txt'),
  ...words.flatMap((word) => (word.endsWith('n') ? [`${word}s`, `${word}t`] : [`${word}s`])),
  ...pronouns.flatMap((word) => ['d', 'll', 'm', 're', 've'].map((ending) => `${word}${ending}`)),
])
const wordLengthMax = Math.max(...[...commonWords, ...names].map(({ length }) => length))

/** @returns the least number of names that a part consists of, beside words and digits; Infinity if it does not */
function namesIn(part: string, own: ReadonlySet<string>, lengthMax: number): number {
  const counts = [0]
  const countAt = (at: number) => counts[at] ?? Number.POSITIVE_INFINITY
  for (let end = 1; end <= part.length; end += 1) {
    let least = /\d/.test(part.charAt(end - 1)) ? countAt(end - 1) : Number.POSITIVE_INFINITY
    for (let start = Math.max(0, end - lengthMax); start < end; start += 1) {
      if (countAt(start) >= least) continue
      const word = part.slice(start, end)
      if (commonWords.has(word) || own.has(word)) least = countAt(start)
      else if (names.has(word)) least = Math.min(least, countAt(start) + 1)
    }
    counts.push(least)
  }
  return countAt(part.length)
}

/** @param parts - of a password in lower case, between its separators */
export function isCommonPhrase(parts: readonly string[], own: ReadonlySet<string>): boolean {
  const text = parts.join('')
  const letters = text.replace(/\d/g, '').length
  if (letters === 0 || letters > lettersMax || text.length - letters > digitsMax) return false
  const lengthMax = Math.max(wordLengthMax, ...[...own].map(({ length }) => length))
  let count = 0
  for (const part of parts) {
    count += namesIn(part, own, lengthMax)
    if (count > namesMax) return false
  }
  return true
}
