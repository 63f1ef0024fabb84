import { createHash, randomBytes } from 'node:crypto'
import { Binary, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

/** What a link is for: the name in its fragment, which no browser sends to a server or in a Referer. */
export type LinkPurpose = 'reset' | 'verify'

export const lifetimesMs: Record<LinkPurpose, number> = { reset: 30 * 60_000, verify: 24 * 3_600_000 }

const accountBytes = 16
const randomLength = 16

/** The database stores it in place of the token: 128 random bits need no slow hash (NIST SP 800-63B-4, 3.1.2.2). */
const hashOf = (token: string) => new Binary(createHash('sha256').update(token).digest())

/** The token names the account, by which it is found, and has 128 random bits. */
export function newLinkToken(account: string): { token: string; hash: Binary } {
  const token = Buffer.concat([toUuid(account).buffer, randomBytes(randomLength)]).toString('base64url')
  return { token, hash: hashOf(token) }
}

/** @returns undefined for a text that is no token of any link */
export function parseLinkToken(token: string): { account: string; hash: Binary } | undefined {
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.length !== accountBytes + randomLength || bytes.toString('base64url') !== token) return undefined
  return { account: new UUID(bytes.subarray(0, accountBytes)).toString(), hash: hashOf(token) }
}

export const linkUrl = (origin: string, purpose: LinkPurpose, token: string): string => `${origin}/#${purpose}=${token}`
