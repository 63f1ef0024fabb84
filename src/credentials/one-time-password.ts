import { createHash, timingSafeEqual } from 'node:crypto'
import { Binary } from 'mongodb'
import { crockfordLetters, randomGroups } from './crockford.ts'
import { normalisePassword } from './hashing.ts'
import { type Credential, isSpent } from './store.ts'

const form = new RegExp(`^(?:[${crockfordLetters}]{5}-){4}[${crockfordLetters}]{5}$`)

/** 125 random bits. */
export const newOneTimePassword = (): string => randomGroups(5, 5)

export const looksOneTime = (password: string): boolean => form.test(normalisePassword(password))

/** Secrets of at least 112 random bits need no slow hash (NIST SP 800-63B-4, 3.1.2.2). */
export function digestOf(account: string, password: string): Binary {
  const text = `${account}:${normalisePassword(password)}`
  return new Binary(createHash('sha256').update(text).digest())
}

/** A live one is refused by no counter of failed logins. Costs no slow hash, so it can be asked before the limits are. */
export function isLiveOneTimePassword(
  account: string,
  credential: Pick<Credential, 'oneTime'> | undefined,
  password: string,
): boolean {
  const digest = credential?.oneTime?.digest
  if (!credential || !digest || isSpent(credential)) return false
  return timingSafeEqual(digest.buffer, digestOf(account, password).buffer)
}
