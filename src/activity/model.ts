import type { Db, UUID } from 'mongodb'
import type { ActivityEvent } from './schema.ts'

export type ActivityDocument = {
  /** A UUIDv7 of the event's time. */
  _id: UUID
  account: UUID
  event: ActivityEvent
  ip: string
  userAgent: string
  at: Date
  /** For failed logins: the address key, the hour in Unix time, the number of failures, and the latest of them. */
  address?: string
  hour?: number
  count?: number
  recent?: UUID[]
}

export const loginFailed: ActivityEvent = 'login-failed'

export const retentionSeconds = 90 * 86_400
export const hourMs = 3_600_000

export const activityIndexes = [
  { key: { account: 1, _id: -1 } },
  // Of concurrent failures, one inserts the item and the others increment its count.
  {
    key: { account: 1, address: 1, hour: 1 },
    unique: true,
    partialFilterExpression: { hour: { $exists: true } },
  },
  { key: { at: 1 }, expireAfterSeconds: retentionSeconds },
] as const

export const activityIn = (db: Db) => db.collection<ActivityDocument>('activity')
