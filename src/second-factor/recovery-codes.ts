import { createHash } from 'node:crypto'
import { Binary } from 'mongodb'
import { crockfordLetters, randomGroups } from '../credentials/crockford.ts'

const count = 10
const form = new RegExp(`^[${crockfordLetters}]{24}$`)

/** Of 120 random bits each: from 112 on, no slow hash is needed (NIST SP 800-63B-4, 3.1.2.2). */
export const newRecoveryCodes = (): string[] => Array.from({ length: count }, () => randomGroups(6, 4))

/** Without case, spaces and hyphens, and with what Crockford's base 32 lets a reader confuse. */
const canonical = (code: string): string =>
  code.toLowerCase().replace(/[\s-]/g, '').replaceAll('o', '0').replace(/[il]/g, '1')

export const hasRecoveryCodeForm = (code: string): boolean => form.test(canonical(code))

/** What the database holds of a code. */
export const recoveryCodeDigest = (account: string, code: string): Binary =>
  new Binary(
    createHash('sha256')
      .update(`${account}:${canonical(code)}`)
      .digest(),
  )
