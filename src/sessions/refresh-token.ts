import { createHash, createHmac, randomBytes } from 'node:crypto'
import { Binary, UUID } from 'mongodb'

const accountBytes = 16
const familyBytes = 16
const turnBytes = 32

/** The family identifies a session, whose shard key is the account; the turn is valid for one use. */
export type RefreshToken = { account: UUID; family: Buffer; turn: Buffer }

export const newRefreshToken = (account: UUID): RefreshToken => ({
  account,
  family: randomBytes(familyBytes),
  turn: randomBytes(turnBytes),
})

export const newStep = (): Buffer => randomBytes(turnBytes)

/** Two tabs that present the same turn derive the same successor; neither an old token nor the database alone suffices. */
export const nextTurn = (turn: Buffer, step: Uint8Array): Buffer => createHmac('sha256', turn).update(step).digest()

export const serializeRefreshToken = ({ account, family, turn }: RefreshToken): string =>
  Buffer.concat([account.buffer, family, turn]).toString('base64url')

/** In base64url. */
const tokenLength = Math.ceil(((accountBytes + familyBytes + turnBytes) * 8) / 6)

export function parseRefreshToken(text: string): RefreshToken | undefined {
  // To decode those that are no token takes longer.
  if (text.length !== tokenLength) return undefined
  const bytes = Buffer.from(text, 'base64url')
  const turnOffset = accountBytes + familyBytes
  if (bytes.length !== turnOffset + turnBytes || bytes.toString('base64url') !== text) return undefined
  return {
    account: new UUID(bytes.subarray(0, accountBytes)),
    family: bytes.subarray(accountBytes, turnOffset),
    turn: bytes.subarray(turnOffset),
  }
}

/** What the database stores of a part: random bits of this length need no slow hash (NIST SP 800-63B-4, 5.1). */
export const hashPart = (part: Buffer): Binary => new Binary(createHash('sha256').update(part).digest())

/** Compares two hashes of random bits, so the timing reveals nothing useful. */
export const sameHash = (a: Binary, b: Binary | null): boolean => b !== null && Buffer.compare(a.buffer, b.buffer) === 0
