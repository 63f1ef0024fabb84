import { z } from 'zod'
import { invalid } from '../http/problems.ts'
import { characterCount } from '../http/text.ts'
import { normalisePassword } from './hashing.ts'
import { estimateGuesses } from './long-passwords.ts'
import type { StrengthEstimator } from './strength.ts'

const maxPasswordLength = 256
const minGuesses = 1e8

/** @param minLength - in characters, measured after NFKC, the form that is hashed */
export function newPassword(minLength: number) {
  return z
    .string()
    .refine((password) => password.isWellFormed(), { error: 'Must not contain an unpaired surrogate.', abort: true })
    .refine((password) => {
      const length = characterCount(normalisePassword(password))
      return length >= minLength && length <= maxPasswordLength
    }, `Must have ${minLength} to ${maxPasswordLength} characters.`)
    .meta({ minLength, maxLength: maxPasswordLength, format: 'password' })
}

const tooLong = `Must have at most ${maxPasswordLength} characters.`

/** A password to verify: any other fault makes it a wrong password, not an invalid request. */
export const PresentedPassword = z
  .string()
  .refine((password) => characterCount(normalisePassword(password)) <= maxPasswordLength, tooLong)
  .meta({ maxLength: maxPasswordLength, format: 'password' })

/**
 * Requires no username inside and 10^8 guesses (NIST SP 800-63B-4, 3.1.1.2: a blocklist, no composition rules).
 * @throws Problem `validation` with this pointer.
 */
export async function assertStrongPassword(
  password: string,
  { username, pointer, strength }: { username: string; pointer: string; strength: StrengthEstimator },
): Promise<void> {
  const refused = (detail: string) => invalid({ pointer, detail })
  const normalised = normalisePassword(password)
  if (normalised.toLowerCase().includes(username.toLowerCase())) throw refused('Must not contain the username.')
  const guesses = await estimateGuesses(normalised, strength, minGuesses)
  if (guesses === undefined)
    throw refused('Use fewer symbols in place of letters: the strength of this password cannot be estimated.')
  if (guesses < minGuesses) throw refused('Must be harder to guess: use several unrelated words.')
}
