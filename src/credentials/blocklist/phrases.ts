import { readFileSync } from 'node:fs'

/** English has 1.0 to 1.3 bits for each letter (Shannon 1951): a phrase of more letters needs over 10^8 guesses. */
const lettersMax = 32
/** Eight digits have 10^8 values. */
const digitsMax = 8

const words = readFileSync(new URL('./common-words.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
const pronouns = ['i', 'you', 'he', 'she', 'it', 'we', 'they', 'that', 'there', 'who']
const commonWords = new Set([
  ...words,
  ...words.flatMap((word) => (word.endsWith('n') ? [`${word}s`, `${word}t`] : [`${word}s`])),
  ...pronouns.flatMap((word) => ['d', 'll', 'm', 're', 've'].map((ending) => `${word}${ending}`)),
])
const wordLengthMax = Math.max(...[...commonWords].map(({ length }) => length))

function isMadeOfWords(part: string, own: ReadonlySet<string>, lengthMax: number): boolean {
  const reachable = [true]
  for (let end = 1; end <= part.length; end += 1) {
    let isReached = /\d/.test(part.charAt(end - 1)) && reachable[end - 1] === true
    for (let start = Math.max(0, end - lengthMax); start < end && !isReached; start += 1) {
      if (!reachable[start]) continue
      const word = part.slice(start, end)
      isReached = commonWords.has(word) || own.has(word)
    }
    reachable.push(isReached)
  }
  return reachable[part.length] === true
}

/**
 * Whether a password consists of very common words, of `own` words and of a few digits.
 * @param parts - in lower case, between its separators
 */
export function isCommonPhrase(parts: readonly string[], own: ReadonlySet<string>): boolean {
  const text = parts.join('')
  const letters = text.replace(/\d/g, '').length
  if (letters === 0 || letters > lettersMax || text.length - letters > digitsMax) return false
  const lengthMax = Math.max(wordLengthMax, ...[...own].map(({ length }) => length))
  return parts.every((part) => isMadeOfWords(part, own, lengthMax))
}
