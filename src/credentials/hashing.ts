import { createHmac, randomBytes } from 'node:crypto'
import { hash as bcryptHash, verify as bcryptVerify } from '@node-rs/bcrypt'
import { Problem } from '../http/problems.ts'
import type { Pepper } from '../secrets/pepper.ts'

/** A stored password. `scheme` names how the hash was made, so that a later version can change it. */
export type StoredPassword = { scheme: 1; pepper: string | null; bcrypt: string }

export type Hashing = { readonly cost: number; readonly peppers: readonly Pepper[] }

// Domain separation, not a secret: our digests match no plain bcrypt hashes leaked from another service.
const defaultKey = 'rookery password v1'

/** The form of a password that is measured, estimated and hashed (NIST SP 800-63B-4, 3.1.1.2). */
export const normalisePassword = (password: string): string => password.normalize('NFKC')

/** Below bcrypt's limit of 72 bytes and without NUL, so that every character counts (OWASP Password Storage, pre-hashing). */
function digest(password: string, account: string, key: string): string {
  return createHmac('sha256', key).update(`1\0${account}\0`).update(normalisePassword(password)).digest('base64')
}

function keyOf(pepper: string | null, peppers: readonly Pepper[]): string {
  if (pepper === null) return defaultKey
  const configured = peppers.find(({ id }) => id === pepper)
  if (configured) return configured.secret
  // Not 401: the password may be right, and the attempt would count as a failure.
  throw new Problem('overloaded', 'This password cannot be checked at the moment: try again shortly.', {
    headers: { 'retry-after': '5' },
    cause: new Error(`PASSWORD_PEPPER lacks ${pepper}, which a password was hashed with`),
  })
}

export async function hashPassword(
  password: string,
  account: string,
  { cost, peppers: [pepper] }: Hashing,
): Promise<StoredPassword> {
  const bcrypt = await bcryptHash(digest(password, account, pepper?.secret ?? defaultKey), cost)
  return { scheme: 1, pepper: pepper?.id ?? null, bcrypt }
}

/** One with an unpaired surrogate never matches: its UTF-8 equals another password's. @throws Problem `overloaded` */
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

export const isOutdated = ({ pepper, bcrypt }: StoredPassword, { cost, peppers }: Hashing): boolean =>
  pepper !== (peppers[0]?.id ?? null) || !bcrypt.startsWith(`$2b$${String(cost).padStart(2, '0')}$`)

/** A decoy for unknown usernames: a hash that no password matches, at the cost of a real one. */
export const decoyPassword = (hashing: Hashing): Promise<StoredPassword> =>
  hashPassword(randomBytes(32).toString('base64'), '', hashing)
