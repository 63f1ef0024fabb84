import type { Binary, UUID } from 'mongodb'
import { timeOf } from '../database/ids.ts'

export type SessionDocument = {
  _id: UUID
  account: UUID
  /** SHA-256 of the refresh token's parts: its family, the turn that is good now and the one before. */
  family: Binary
  turn: Binary
  previousTurn: Binary | null
  /** What makes the present turn of the one before: see refresh-token.ts. */
  step: Binary | null
  refreshedAt: Date
  lastSeenAt: Date
  confirmedUntil: Date | null
  /** Wrong passwords given inside this session. */
  failures: number
  /** 30 days after the last refresh, 90 after the login: whichever is first. MongoDB removes it then. */
  endsAt: Date
  ip: string
  userAgent: string
}

export const sessionIndexes = [
  { key: { family: 1 }, unique: true },
  { key: { account: 1, _id: -1 } },
  { key: { endsAt: 1 }, expireAfterSeconds: 0 },
] as const

/** A session as those above the store see it. */
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

/** What of a session is shown. Its secrets' hashes and the rest are for those who write it. */
export const publicFields = { account: 1, lastSeenAt: 1, endsAt: 1, confirmedUntil: 1, ip: 1, userAgent: 1 } as const
export type PublicSession = Pick<SessionDocument, '_id' | keyof typeof publicFields>

/** The condition of those that have not ended by time. */
export const notExpired = () => ({ endsAt: { $gt: new Date() } })

const day = 86_400_000
/** How long a session lives after its last refresh, and at most after its login, in milliseconds. */
export const lifetimes = { idle: 30 * day, absolute: 90 * day }

export function toSession({ _id, account, lastSeenAt, endsAt, confirmedUntil, ip, userAgent }: PublicSession): Session {
  const id = _id.toString()
  return {
    id,
    account: account.toString(),
    createdAt: timeOf(id),
    lastSeenAt,
    expiresAt: endsAt,
    confirmedUntil: confirmedUntil !== null && confirmedUntil.getTime() > Date.now() ? confirmedUntil : null,
    ip,
    userAgent,
  }
}
