import type { ClientSession, Db } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { turnQuery } from '../database/turn-reads.ts'
import type { ClientInfo } from '../http/client-info.ts'
import type { Position } from '../http/pages.ts'
import { foldInto, readNewest } from './fold.ts'
import { activityIn, collection, retentionSeconds } from './model.ts'
import type { ActivityEvent, TransactedEvent } from './schema.ts'
import { maxItems, trimActivity } from './trim.ts'

export type Activity = { id: string; at: Date; event: ActivityEvent; ip: string; userAgent: string; count?: number }

/** Writes mails, in the transaction of what they tell: see mail/notices.ts. */
export type ActivityNotices = {
  add(account: string, event: TransactedEvent, client: ClientInfo, transaction: ClientSession): Promise<void>
}

const newestFirst = { _id: -1 } as const

/** An account's activity: the last 200 items of each event, for 90 days. Its owner is told of some of them by mail. */
export function activityStore(db: Db, notices: ActivityNotices) {
  const activity = activityIn(db)
  return {
    /** Whether one more item of this event makes the account lose none. */
    async hasRoom(account: string, event: TransactedEvent): Promise<boolean> {
      const filter = { account: toUuid(account), event }
      const query = { collection, filter, projection: { _id: 1 }, sort: newestFirst, skip: maxItems - 1, limit: 1 }
      return (await turnQuery(db, { ...query, count: 1 })).length === 0
    },

    /**
     * The transaction must write to what the account's deletion deletes: otherwise the item could outlive the account.
     * @param options.isExpected - whether the owner needs no mail of it
     * @param options.hasRoom - whether the account is known to have room for it
     */
    async record(
      account: string,
      event: TransactedEvent,
      client: ClientInfo,
      transaction: ClientSession,
      { isExpected = false, hasRoom = false } = {},
    ): Promise<void> {
      if (!isExpected) await notices.add(account, event, client, transaction)
      const { ip, userAgent } = client
      const id = newId()
      const document = { _id: toUuid(id), account: toUuid(account), event, ip, userAgent, at: timeOf(id) }
      const newest = await readNewest(db, [document.account], transaction)
      const folded = foldInto(newest.get(account), document)
      if (folded) {
        const { _id, account, at, ip, count } = folded
        await activity.updateOne({ _id, account }, { $set: { at, ip, count } }, { session: transaction })
      } else {
        await activity.insertOne(document, { session: transaction })
        if (!hasRoom) await trimActivity(db, [document.account], event, transaction)
      }
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
