import type { StrengthEstimator } from './strength.ts'

/**
 * The most characters that are judged at once. zxcvbn's time grows faster than the length: 256 characters can take it
 * seconds of a core, which a stranger could ask for again and again.
 */
const longestSample = 64

/** The length of the shortest beginning that the whole text repeats, the last time perhaps in part. */
function periodOf(characters: readonly string[]): number {
  // The failure function of Knuth, Morris and Pratt: linear, whatever the text.
  const borders = [0]
  for (let at = 1, border = 0; at < characters.length; at += 1) {
    while (border > 0 && characters[at] !== characters[border]) border = borders[border - 1] ?? 0
    if (characters[at] === characters[border]) border += 1
    borders.push(border)
  }
  return characters.length - (borders.at(-1) ?? 0)
}

/**
 * How many guesses a password of any length withstands, from samples of at most 64 characters: a repetition by what it
 * repeats, any other long one by the best of its parts, as none of them makes the whole easier.
 * @param enough - no more parts are judged once one withstands so many.
 */
export async function estimateGuesses(
  password: string,
  strength: StrengthEstimator,
  enough: number,
): Promise<number | undefined> {
  const characters = Array.from(password)
  const { length } = characters
  if (length <= longestSample) return strength.guesses(password)
  const sample = (from: number, to: number) => strength.guesses(characters.slice(from, to).join(''))

  const period = periodOf(characters)
  if (period <= longestSample / 2) {
    const guesses = await sample(0, 2 * period)
    return guesses === undefined ? undefined : (guesses * length) / (2 * period)
  }
  let best = 0
  for (let at = 0; at < length && best < enough; at += longestSample) {
    const guesses = await sample(at, at + longestSample)
    if (guesses === undefined) return undefined
    best = Math.max(best, guesses)
  }
  return best
}
