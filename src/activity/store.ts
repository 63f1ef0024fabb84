import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { isDuplicateKey } from '../database/failures.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { addressKey } from '../http/client-address.ts'
import type { ClientInfo } from '../http/client-info.ts'
import type { Position } from '../http/pages.ts'
import type { ActivityEvent } from './schema.ts'

type ActivityDocument = {
  /** A UUIDv7 of the event's time. */
  _id: UUID
  account: UUID
  event: ActivityEvent
  ip: string
  userAgent: string
  at: Date
  /** For failed logins: the address key, the hour in Unix time, and the number of failures. */
  address?: string
  hour?: number
  count?: number
}

export type Activity = { id: string; at: Date; event: ActivityEvent; ip: string; userAgent: string; count?: number }

// Separate limits: an attacker's failed logins must not evict the events that the owner needs to see.
const maxFailures = 200
const maxOtherItems = 800
const retentionSeconds = 90 * 86_400
const hourMs = 3_600_000
const loginFailed: ActivityEvent = 'login-failed'

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

/** An account's activity: at most 200 failed logins and 800 other items, for 90 days. */
export function activityStore(db: Db) {
  const activity: Collection<ActivityDocument> = db.collection('activity')

  async function trim(kind: { account: UUID; event: object | ActivityEvent }, max: number, session?: ClientSession) {
    const options = { projection: { _id: 1 }, ...(session && { session }) }
    const [oldest] = await activity.find(kind, options).sort({ _id: -1 }).skip(max).limit(1).toArray()
    if (oldest) await activity.deleteMany({ ...kind, _id: { $lte: oldest._id } }, session && { session })
  }

  return {
    async record(
      account: string,
      event: Exclude<ActivityEvent, 'login-failed'>,
      { ip, userAgent }: ClientInfo,
      transaction: ClientSession,
    ): Promise<void> {
      const id = newId()
      const document = { _id: toUuid(id), account: toUuid(account), event, ip, userAgent, at: timeOf(id) }
      await activity.insertOne(document, { session: transaction })
      await trim({ account: document.account, event: { $ne: loginFailed } }, maxOtherItems, transaction)
    },

    /** Records a failed login. Failures from one address within an hour share an item. */
    async recordFailure(account: string, { ip, userAgent }: ClientInfo): Promise<void> {
      const owner = toUuid(account)
      const address = addressKey(ip)
      const now = Date.now()
      const recent = { account: owner, address, hour: { $exists: true }, at: { $gt: new Date(now - hourMs) } }
      const increment = { $inc: { count: 1 } }
      if ((await activity.updateOne(recent, increment)).matchedCount === 1) return
      const id = newId()
      const item = {
        _id: toUuid(id),
        account: owner,
        event: loginFailed,
        ip,
        userAgent,
        at: timeOf(id),
        address,
        count: 1,
      }
      try {
        await activity.insertOne({ ...item, hour: Math.floor(now / hourMs) })
      } catch (error) {
        if (!isDuplicateKey(error)) throw error
        await activity.updateOne(recent, increment)
      }
      await trim({ account: owner, event: loginFailed }, maxFailures)
    },

    async deleteAll(account: string): Promise<void> {
      await activity.deleteMany({ account: toUuid(account) })
    },

    async list(account: string, { after, limit }: Position): Promise<Activity[]> {
      const found = await activity
        .find({
          account: toUuid(account),
          at: { $gt: new Date(Date.now() - retentionSeconds * 1_000) },
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
