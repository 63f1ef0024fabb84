import { createHash, randomBytes } from 'node:crypto'
import { Binary } from 'mongodb'

const familyBytes = 16
const turnBytes = 32

/** A refresh token taken apart: the family names the session, the turn is used once. */
export type RefreshToken = { family: Buffer; turn: Buffer }

/** The token of a new session: 128 random bits of family, 256 of turn. */
export const newRefreshToken = (): RefreshToken => ({ family: randomBytes(familyBytes), turn: newTurn() })

/** The next turn of a family. */
export const newTurn = (): Buffer => randomBytes(turnBytes)

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
