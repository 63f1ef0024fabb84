import { createHmac, randomBytes } from 'node:crypto'
import { hash as bcryptHash, verify as bcryptVerify } from '@node-rs/bcrypt'
import { Problem } from '../http/problems.ts'
import type { Pepper } from '../secrets/pepper.ts'

/** A password as it is stored; the form names how it was made, so that the way may change. */
export type StoredPassword = { scheme: 1; pepper: string | null; bcrypt: string }

/** How passwords are hashed: bcrypt's cost, each step doubles the work, and the first of the peppers; all verify. */
export type Hashing = { cost: number; peppers: readonly Pepper[] }

// Not a secret: it only makes our digests useless against a leak of another service's plain bcrypt hashes.
const context = 'rookery password v1'

/** The form of a password that is measured, judged and hashed (NIST SP 800-63B-4, 3.1.1.2). */
export const normalisePassword = (password: string): string => password.normalize('NFKC')

/**
 * 44 base64 bytes of HMAC-SHA-256 over version, account and password: no NUL byte and well below bcrypt's limit of
 * 72 bytes, so that every character of the password counts (OWASP Password Storage, pre-hashing with bcrypt).
 */
function digest(password: string, account: string, key: string): string {
  return createHmac('sha256', key).update(`1\0${account}\0`).update(normalisePassword(password)).digest('base64')
}

/** @throws Problem `overloaded`, with what is missing for the log, when another configuration made the hash. */
function keyOf(pepper: string | null, peppers: readonly Pepper[]): string {
  if (pepper === null) return context
  const known = peppers.find(({ id }) => id === pepper)
  if (known) return known.secret
  // Not 401: the password may be right, and would count as a wrong one.
  throw new Problem('overloaded', 'This password cannot be checked at the moment: try again shortly.', {
    headers: { 'retry-after': '5' },
    cause: new Error(`PASSWORD_PEPPER lacks ${pepper}, which a password was hashed with`),
  })
}

/** Makes the stored form of a password; a pepper's id goes into it, the secret does not. */
export async function hashPassword(
  password: string,
  account: string,
  { cost, peppers: [pepper] }: Hashing,
): Promise<StoredPassword> {
  const bcrypt = await bcryptHash(digest(password, account, pepper?.secret ?? context), cost)
  return { scheme: 1, pepper: pepper?.id ?? null, bcrypt }
}

/**
 * Whether it is the password. One with an unpaired surrogate never is: UTF-8 would make it look like another.
 * @throws Problem `overloaded` when the pepper is not one of these.
 */
export async function verifyPassword(
  password: string,
  account: string,
  stored: StoredPassword,
  peppers: readonly Pepper[],
): Promise<boolean> {
  const key = keyOf(stored.pepper, peppers)
  const matches = await bcryptVerify(digest(password, account, key), stored.bcrypt)
  return matches && password.isWellFormed()
}

/** Whether a hash was made with another cost or pepper than today's, and is to be made again. */
export const isOutdated = ({ pepper, bcrypt }: StoredPassword, { cost, peppers }: Hashing): boolean =>
  pepper !== (peppers[0]?.id ?? null) || !bcrypt.startsWith(`$2b$${String(cost).padStart(2, '0')}$`)

/** What an unknown name is verified against: a hash that no password fits, at the price of a real one. */
export const decoyPassword = (hashing: Hashing): Promise<StoredPassword> =>
  hashPassword(randomBytes(32).toString('base64'), '', hashing)
