import type { Db, UUID } from 'mongodb'
import type { ActivityEvent } from './schema.ts'

export type ActivityDocument = {
  /** A UUIDv7 of the time of the first. It never changes: cursors name it. */
  _id: UUID
  account: UUID
  event: ActivityEvent
  /** The address and the time of the last. */
  ip: string
  userAgent: string
  at: Date
  /** How many it stands for; always present in failures. */
  count?: number
  /** For failures: the commands of the last minute. */
  recent?: UUID[]
}

export const retentionSeconds = 90 * 86_400

export const activityIndexes = [
  { key: { account: 1, _id: -1 } },
  { key: { account: 1, event: 1, _id: -1 } },
  { key: { at: 1 }, expireAfterSeconds: retentionSeconds },
] as const

export const collection = 'activity'

export const activityIn = (db: Db) => db.collection<ActivityDocument>(collection)
