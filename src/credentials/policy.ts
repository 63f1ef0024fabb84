import { invalid } from '../http/problems.ts'
import { characterCount } from '../http/text.ts'
import { guessesOf } from './guesses.ts'
import { normalisePassword } from './password.ts'
import type { StrengthEstimator } from './strength.ts'

/** The most characters a password may have. */
export const longestPassword = 256
const fewestGuesses = 1e8
/**
 * Refuses a new password that is too short, too long, holds the username or is soon guessed
 * (NIST SP 800-63B-4, 3.1.1.2: length and a blocklist, no rules of composition).
 *
 * @param pointer - where the password stands in the request.
 * @throws Problem `validation`.
 */
export async function acceptPassword(
  password: string,
  {
    username,
    minLength,
    pointer,
    strength,
  }: {
    username: string
    minLength: number
    pointer: string
    strength: StrengthEstimator
  },
): Promise<void> {
  const refuse = (detail: string) => invalid({ pointer, detail })
  if (!password.isWellFormed()) throw refuse('has an unpaired surrogate')
  const normal = normalisePassword(password)
  const length = characterCount(normal)
  if (length < minLength || length > longestPassword) {
    throw refuse(`must have ${minLength} to ${longestPassword} characters`)
  }
  if (normal.toLowerCase().includes(username.toLowerCase())) throw refuse('must not contain the username')
  const guesses = await guessesOf(normal, strength)
  if (guesses === undefined) throw refuse('could not be judged: choose one with fewer symbols in place of letters')
  if (guesses < fewestGuesses) throw refuse('is too easy to guess: use several unrelated words')
}
