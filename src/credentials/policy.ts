import { z } from 'zod'
import { invalid } from '../http/problems.ts'
import { characterCount } from '../http/text.ts'
import { normalisePassword } from './hashing.ts'
import { estimateGuesses } from './long-passwords.ts'
import type { StrengthEstimator } from './strength.ts'

/** The most characters a password may have. */
export const longestPassword = 256
const fewestGuesses = 1e8

/**
 * A new password on the wire. How long it is counts after NFKC, as it is hashed.
 * @param minLength - in characters.
 */
export function newPassword(minLength: number) {
  return z
    .string()
    .refine((password) => password.isWellFormed(), { error: 'has an unpaired surrogate', abort: true })
    .refine((password) => {
      const length = characterCount(normalisePassword(password))
      return length >= minLength && length <= longestPassword
    }, `must have ${minLength} to ${longestPassword} characters`)
    .meta({ minLength, maxLength: longestPassword, format: 'password' })
}

const tooLong = `must have at most ${longestPassword} characters`

/** A password that is only compared: whatever else is wrong with it, it is a wrong password. */
export const GivenPassword = z
  .string()
  .refine((password) => characterCount(normalisePassword(password)) <= longestPassword, tooLong)
  .meta({ maxLength: longestPassword, format: 'password' })

/**
 * Refuses a new password that holds the username or is soon guessed (NIST SP 800-63B-4, 3.1.1.2: length and a
 * blocklist, no rules of composition). Its length is the schema's matter: see {@link newPassword}.
 *
 * @param pointer - where the password stands in the request.
 * @throws Problem `validation`.
 */
export async function assertStrongPassword(
  password: string,
  {
    username,
    pointer,
    strength,
  }: {
    username: string
    pointer: string
    strength: StrengthEstimator
  },
): Promise<void> {
  const refuse = (detail: string) => invalid({ pointer, detail })
  const normal = normalisePassword(password)
  if (normal.toLowerCase().includes(username.toLowerCase())) throw refuse('must not contain the username')
  const guesses = await estimateGuesses(normal, strength, fewestGuesses)
  if (guesses === undefined) throw refuse('could not be judged: choose one with fewer symbols in place of letters')
  if (guesses < fewestGuesses) throw refuse('is too easy to guess: use several unrelated words')
}
