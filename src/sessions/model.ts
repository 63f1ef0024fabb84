import type { Binary, UUID } from 'mongodb'
import { timeOf } from '../database/ids.ts'

export type SessionDocument = {
  _id: UUID
  account: UUID
  /** SHA-256 of the refresh token's parts: its family, the current turn and the previous one. */
  family: Binary
  turn: Binary
  previousTurn: Binary | null
  /** Derives the current turn from the previous one: see refresh-token.ts. */
  step: Binary | null
  /** The last login, refresh or confirmation. */
  refreshedAt: Date
  /** Incremented by each refresh and confirmation; absent, like the next one, in sessions of earlier versions. */
  generation?: number
  confirmedUntil: Date | null
  /** The generation of the last confirmation: access tokens issued before gain nothing by it. */
  confirmedGeneration?: number
  /** A request without the password holds the confirmation's refresh token, too: the next refresh ends the confirmation. */
  sharedTurn?: boolean
  /** Wrong passwords given inside the session, since the last confirmation. */
  failures: number
  /** Passwords given inside the session whose check has not ended; absent in sessions of earlier versions. */
  checking?: { id: string; at: Date }[]
  /** A one-time password began the session: it permits little more than choosing another. */
  passwordChangeRequired?: boolean
  /** Incremented by each change that a session must be live for when it is committed. */
  changes?: number
  /** 30 days after the last refresh or 90 after the login, whichever is first. The TTL index deletes it then. */
  endsAt: Date
  ip: string
  userAgent: string
}

/** Longer than a password waits for its check: see http/deadline.ts. */
export const maxCheckSeconds = 60

export const sessionIndexes = [
  { key: { account: 1, family: 1 }, unique: true },
  { key: { account: 1, _id: -1 } },
  { key: { endsAt: 1 }, expireAfterSeconds: 0 },
] as const

export type Session = {
  id: string
  account: string
  createdAt: Date
  lastSeenAt: Date
  expiresAt: Date
  confirmedUntil: Date | null
  ip: string
  userAgent: string
}

/** The projection for reads: without the hashes of the tokens. */
export const publicFields = { account: 1, refreshedAt: 1, endsAt: 1, confirmedUntil: 1, ip: 1, userAgent: 1 } as const
export type PublicSession = Pick<SessionDocument, '_id' | keyof typeof publicFields>

export const notExpired = () => ({ endsAt: { $gt: new Date() } })

const dayMs = 86_400_000
export const lifetimesMs = { idle: 30 * dayMs, absolute: 90 * dayMs, oneTime: dayMs }

/** @param seenAt - see last-seen.ts; a login or a refresh can be later */
export function toSession(
  { _id, account, refreshedAt, endsAt, confirmedUntil, ip, userAgent }: PublicSession,
  seenAt = refreshedAt,
): Session {
  const id = _id.toString()
  return {
    id,
    account: account.toString(),
    createdAt: timeOf(id),
    lastSeenAt: seenAt > refreshedAt ? seenAt : refreshedAt,
    expiresAt: endsAt,
    confirmedUntil: confirmedUntil !== null && confirmedUntil.getTime() > Date.now() ? confirmedUntil : null,
    ip,
    userAgent,
  }
}
