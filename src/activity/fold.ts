import type { ClientSession, Db, UUID } from 'mongodb'
import { singleBatch } from '../database/single-batch.ts'
import { addressKey } from '../http/client-address.ts'
import { type ActivityDocument, activityIn } from './model.ts'

const foldWithinMs = 900_000

export type CountedItem = ActivityDocument & { count: number }

type Happening = Pick<ActivityDocument, 'event' | 'ip' | 'userAgent' | 'at'>

/** No other item can grow: it would move to another position, and a client that pages would miss it or see it twice. */
const isRepeat = (newest: ActivityDocument, { event, ip, userAgent, at }: Happening) =>
  newest.event === event &&
  newest.userAgent === userAgent &&
  addressKey(newest.ip) === addressKey(ip) &&
  at.getTime() - newest.at.getTime() < foldWithinMs

/** @returns the newest item as it becomes with this event, or undefined if the event needs an item of its own */
export function foldInto(newest: ActivityDocument | undefined, happening: Happening): CountedItem | undefined {
  if (!newest || !isRepeat(newest, happening)) return undefined
  // Clocks of servers differ: an item must not become older than it was.
  const at = happening.at > newest.at ? happening.at : newest.at
  return { ...newest, at, ip: happening.ip, count: (newest.count ?? 1) + 1 }
}

export async function readNewest(
  db: Db,
  accounts: readonly UUID[],
  session: ClientSession,
): Promise<Map<string, ActivityDocument>> {
  const found = await activityIn(db)
    .aggregate<{ newest: ActivityDocument }>(
      [
        { $match: { account: { $in: [...accounts] } } },
        { $sort: { account: 1, _id: -1 } },
        { $group: { _id: '$account', newest: { $first: '$$ROOT' } } },
      ],
      { session, ...singleBatch(accounts.length) },
    )
    .toArray()
  return new Map(found.map(({ newest }) => [newest.account.toString(), newest]))
}
