import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { isDuplicateKey } from '../database/failures.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { addressKey } from '../http/client-address.ts'
import type { Client } from '../http/client-info.ts'
import type { Position } from '../http/pages.ts'
import type { ActivityEvent } from './schema.ts'

type ActivityDocument = {
  /** Its time is that of the event. */
  _id: UUID
  account: UUID
  event: ActivityEvent
  ip: string
  userAgent: string
  at: Date
  /** Of failed logins: from where, in which hour of the clock, and how many. */
  address?: string
  hour?: number
  count?: number
}

export type Activity = { id: string; at: Date; event: ActivityEvent; ip: string; userAgent: string; count?: number }

/** Of failed logins, which strangers write, and of all else: they cannot push out what the owner must see. */
const mostFailures = 200
const mostOthers = 800
/** In seconds. */
const keptFor = 90 * 86_400
/** In milliseconds. */
const hour = 3_600_000
const failed: ActivityEvent = 'login-failed'

export const activityIndexes = [
  { key: { account: 1, _id: -1 } },
  // Of failures that come at the same time one begins an item, and the others are counted in it.
  {
    key: { account: 1, address: 1, hour: 1 },
    unique: true,
    partialFilterExpression: { hour: { $exists: true } },
  },
  { key: { at: 1 }, expireAfterSeconds: keptFor },
] as const

/** Keeps what happened to an account, for its owner to read: 1,000 items, of failed logins 200, and 90 days at most. */
export function activityStore(db: Db) {
  const activity: Collection<ActivityDocument> = db.collection('activity')

  async function trim(kind: { account: UUID; event: object | ActivityEvent }, most: number, session?: ClientSession) {
    const options = { projection: { _id: 1 }, ...(session && { session }) }
    const [oldest] = await activity.find(kind, options).sort({ _id: -1 }).skip(most).limit(1).toArray()
    if (oldest) await activity.deleteMany({ ...kind, _id: { $lte: oldest._id } }, session && { session })
  }

  return {
    /** Writes down an event in the transaction that makes it happen. */
    async record(
      account: string,
      event: Exclude<ActivityEvent, 'login-failed'>,
      { ip, userAgent }: Client,
      transaction: ClientSession,
    ): Promise<void> {
      const id = newId()
      const document = { _id: toUuid(id), account: toUuid(account), event, ip, userAgent, at: timeOf(id) }
      await activity.insertOne(document, { session: transaction })
      await trim({ account: document.account, event: { $ne: failed } }, mostOthers, transaction)
    },

    /** Writes down a failed login: those from one address within an hour are one item. */
    async recordFailure(account: string, { ip, userAgent }: Client): Promise<void> {
      const owner = toUuid(account)
      const address = addressKey(ip)
      const now = Date.now()
      const lately = { account: owner, address, hour: { $exists: true }, at: { $gt: new Date(now - hour) } }
      const more = { $inc: { count: 1 } }
      if ((await activity.updateOne(lately, more)).matchedCount === 1) return
      const id = newId()
      const item = { _id: toUuid(id), account: owner, event: failed, ip, userAgent, at: timeOf(id), address, count: 1 }
      try {
        await activity.insertOne({ ...item, hour: Math.floor(now / hour) })
      } catch (error) {
        if (!isDuplicateKey(error)) throw error
        await activity.updateOne(lately, more)
      }
      await trim({ account: owner, event: failed }, mostFailures)
    },

    /** Removes all of it. */
    async forget(account: string): Promise<void> {
      await activity.deleteMany({ account: toUuid(account) })
    },

    /** What happened, newest first. */
    async list(account: string, { after, limit }: Position): Promise<Activity[]> {
      const found = await activity
        .find({
          account: toUuid(account),
          at: { $gt: new Date(Date.now() - keptFor * 1_000) },
          ...(after && { _id: { $lt: toUuid(after) } }),
        })
        .sort({ _id: -1 })
        .limit(limit + 1)
        .toArray()
      return found.map(({ _id, at, event, ip, userAgent, count }) => ({
        id: _id.toString(),
        at,
        event,
        ip,
        userAgent,
        ...(count !== undefined && { count }),
      }))
    },
  }
}

export type ActivityStore = ReturnType<typeof activityStore>
