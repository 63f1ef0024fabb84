import { createHmac, randomBytes } from 'node:crypto'
import { hash as bcryptHash, verify as bcryptVerify } from '@node-rs/bcrypt'

/** A password as it is stored; the form names how it was made, so that the way may change. */
export type StoredPassword = { scheme: 1; pepper: string | null; bcrypt: string }

// Not a secret: it only makes our digests useless against a leak of another service's plain bcrypt hashes.
const context = 'rookery password v1'

/** The form of a password that is measured, judged and hashed (NIST SP 800-63B-4, 3.1.1.2). */
export const normalisePassword = (password: string): string => password.normalize('NFKC')

/**
 * 44 base64 bytes of HMAC-SHA-256 over version, account and password: no NUL byte and well below bcrypt's limit of
 * 72 bytes, so that every character of the password counts (OWASP Password Storage, pre-hashing with bcrypt).
 */
function digest(password: string, account: string): string {
  return createHmac('sha256', context).update(`1\0${account}\0`).update(normalisePassword(password)).digest('base64')
}

/** @param cost - bcrypt's: each step doubles the work. */
export async function hashPassword(password: string, account: string, cost: number): Promise<StoredPassword> {
  return { scheme: 1, pepper: null, bcrypt: await bcryptHash(digest(password, account), cost) }
}

/** Whether it is the password. One with an unpaired surrogate never is: UTF-8 would make it look like another. */
export async function verifyPassword(password: string, account: string, stored: StoredPassword): Promise<boolean> {
  const matches = await bcryptVerify(digest(password, account), stored.bcrypt)
  return matches && password.isWellFormed()
}

/** Whether a hash was made with another cost than today's, and is to be made again. */
export const isOutdated = ({ bcrypt }: StoredPassword, cost: number): boolean =>
  !bcrypt.startsWith(`$2b$${String(cost).padStart(2, '0')}$`)

/** What an unknown name is verified against: a hash that no password fits, at the price of a real one. */
export const decoyPassword = (cost: number): Promise<StoredPassword> =>
  hashPassword(randomBytes(32).toString('base64'), '', cost)
