import type { StrengthEstimator } from './strength.ts'

/** zxcvbn takes seconds for 256 characters, which an anonymous client could cause repeatedly. */
const maxSampleLength = 64

function periodOf(characters: readonly string[]): number {
  // The failure function of Knuth, Morris and Pratt: linear in the length.
  const borders = [0]
  for (let at = 1, border = 0; at < characters.length; at += 1) {
    while (border > 0 && characters[at] !== characters[border]) border = borders[border - 1] ?? 0
    if (characters[at] === characters[border]) border += 1
    borders.push(border)
  }
  return characters.length - (borders.at(-1) ?? 0)
}

/**
 * A repetition counts by its repeated part, any other long password by its strongest sample.
 * @param enough - further samples are skipped once one withstands this many guesses
 * @returns undefined when an estimate took too long
 */
export async function estimateGuesses(
  password: string,
  strength: StrengthEstimator,
  enough: number,
): Promise<number | undefined> {
  const characters = Array.from(password)
  const { length } = characters
  if (length <= maxSampleLength) return strength.guesses(password)
  const sample = (from: number, to: number) => strength.guesses(characters.slice(from, to).join(''))

  const period = periodOf(characters)
  if (period <= maxSampleLength / 2) {
    const guesses = await sample(0, 2 * period)
    return guesses === undefined ? undefined : (guesses * length) / (2 * period)
  }
  let best = 0
  for (let at = 0; at < length && best < enough; at += maxSampleLength) {
    const guesses = await sample(at, at + maxSampleLength)
    if (guesses === undefined) return undefined
    best = Math.max(best, guesses)
  }
  return best
}
