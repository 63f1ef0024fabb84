import type { ClientSession, Db, UUID } from 'mongodb'
import { singleBatch } from '../database/single-batch.ts'
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
// Separate limits: an attacker's failed logins must not evict the events that the owner needs to see.
const maxFailures = 200
const maxOtherItems = 800

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

/** Deletes the oldest items of each of these accounts: failed logins beyond 200, or other items beyond 800. */
export async function trim(
  db: Db,
  accounts: readonly UUID[],
  kind: 'failures' | 'others',
  session: ClientSession,
): Promise<void> {
  const isFailure = kind === 'failures'
  const event = isFailure ? loginFailed : { $ne: loginFailed }
  const excess = await activityIn(db)
    .aggregate<{ _id: UUID; newest: UUID }>(
      [
        { $match: { account: { $in: [...accounts] }, event } },
        { $sort: { account: 1, _id: -1 } },
        { $group: { _id: '$account', ids: { $push: '$_id' } } },
        { $project: { newest: { $arrayElemAt: ['$ids', isFailure ? maxFailures : maxOtherItems] } } },
        { $match: { newest: { $exists: true } } },
      ],
      { session, ...singleBatch(accounts.length) },
    )
    .toArray()
  if (excess.length === 0) return
  const deletions = excess.map(({ _id: account, newest }) => ({
    deleteMany: { filter: { account, event, _id: { $lte: newest } } },
  }))
  await activityIn(db).bulkWrite(deletions, { session, ordered: false })
}
