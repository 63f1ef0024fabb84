import { createHash, createHmac, randomBytes } from 'node:crypto'
import { Binary } from 'mongodb'

const familyBytes = 16
const turnBytes = 32

/** A refresh token taken apart: the family names the session, the turn is used once. */
export type RefreshToken = { family: Buffer; turn: Buffer }

/** The token of a new session: 128 random bits of family, 256 of turn. */
export const newRefreshToken = (): RefreshToken => ({ family: randomBytes(familyBytes), turn: randomBytes(turnBytes) })

/** What makes the next turn of a turn. */
export const newStep = (): Buffer => randomBytes(turnBytes)

/**
 * The turn that comes after another. Whoever was shown the one before and reads the step computes the same, so that
 * two tabs that refresh together go on with one token. Neither an old token nor the database alone is enough for it.
 */
export const nextTurn = (turn: Buffer, step: Uint8Array): Buffer => createHmac('sha256', turn).update(step).digest()

/** The form in the cookie: opaque to whoever holds it. */
export const writeRefreshToken = ({ family, turn }: RefreshToken): string =>
  Buffer.concat([family, turn]).toString('base64url')

/** A token from a cookie, or undefined when it cannot be one of ours. */
export function readRefreshToken(text: string): RefreshToken | undefined {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== familyBytes + turnBytes || bytes.toString('base64url') !== text) return undefined
  return { family: bytes.subarray(0, familyBytes), turn: bytes.subarray(familyBytes) }
}

/** What the database keeps of a part: random bits this long need no slow hash (NIST SP 800-63B-4, 5.1). */
export const hashPart = (part: Buffer): Binary => new Binary(createHash('sha256').update(part).digest())

/** Whether two such hashes are of the same part. What was hashed is random, so their timing tells nothing. */
export const sameHash = (one: Binary, other: Binary | null): boolean =>
  other !== null && Buffer.compare(one.buffer, other.buffer) === 0
