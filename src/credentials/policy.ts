import { z } from 'zod'
import { invalid } from '../http/problems.ts'
import { characterCount, hasMoreThan, isLongerThan } from '../http/text.ts'
import { findBlocked, type Person } from './blocklist/blocklist.ts'
import { foldConfusables } from './blocklist/confusables.ts'
import { normalisePassword } from './hashing.ts'
import { estimateGuesses } from './long-passwords.ts'
import type { StrengthEstimator } from './strength.ts'

const maxPasswordLength = 256
const minGuesses = 1e8

const isTooLong = (password: string) =>
  isLongerThan(maxPasswordLength, password) || hasMoreThan(maxPasswordLength, normalisePassword(password))

/** @param minLength - in characters, as typed and after NFKC, the form that is hashed: NFKC makes 18 letters of U+FDFA */
export function newPassword(minLength: number) {
  return z
    .string()
    .refine((password) => password.isWellFormed(), { error: 'Must not contain an unpaired surrogate.', abort: true })
    .refine((password) => {
      if (isTooLong(password)) return false
      return Math.min(characterCount(normalisePassword(password)), characterCount(password)) >= minLength
    }, `Must have ${minLength} to ${maxPasswordLength} characters.`)
    .meta({ minLength, maxLength: maxPasswordLength, format: 'password' })
}

const tooLong = `Must have at most ${maxPasswordLength} characters.`

/** A password to verify: any other fault makes it a wrong password, not an invalid request. */
export const PresentedPassword = z
  .string()
  .refine((password) => !isTooLong(password), tooLong)
  .meta({ maxLength: maxPasswordLength, format: 'password' })

export type PasswordOwner = Person & { pointer: string }

/** Of `a_b` without its separator, too little is left to forbid. */
const usernameLengthMin = 3

/** Without what separates words in a username: `ann_smith` stands in `AnnSmith`, too. */
const joined = (text: string) => text.toLowerCase().replace(/[-_.]/g, '')

/** NIST SP 800-63B-4, 3.1.1.2. Cheap, so it comes first. @throws Problem `validation` with the owner's pointer */
export function assertNotBlocked(password: string, { pointer, ...person }: PasswordOwner): void {
  const normalised = foldConfusables(normalisePassword(password))
  const isNamed = [(text: string) => text.toLowerCase(), joined].some((form) => {
    const name = form(person.username)
    return name.length >= usernameLengthMin && form(normalised).includes(name)
  })
  const detail = isNamed ? 'Must not contain the username.' : findBlocked(password, person)
  if (detail !== undefined) throw invalid({ pointer, detail })
}

/** There are no composition rules. @throws Problem `validation` with this pointer */
export async function assertStrongPassword(
  password: string,
  { pointer, strength }: { pointer: string; strength: StrengthEstimator },
): Promise<void> {
  const refused = (detail: string) => invalid({ pointer, detail })
  const guesses = await estimateGuesses(foldConfusables(normalisePassword(password)), strength, minGuesses)
  if (guesses === undefined)
    throw refused('Use fewer symbols in place of letters: the strength of this password cannot be estimated.')
  if (guesses < minGuesses) throw refused('Must be harder to guess: use several unrelated words.')
}
