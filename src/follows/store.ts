import type { Collection, Db, Filter, UUID } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { boundedTime } from '../database/max-time.ts'
import { batchRead } from '../database/turn-reads.ts'
import type { Position } from '../http/pages.ts'
import type { Submitted } from '../writer/operation.ts'
import type { FollowResult, follow } from './follow.ts'
import { type FollowDocument, followedIndex, followKey, idHint, keysFilter, listIndexes, pairName } from './model.ts'

export type Follow = { from: string; to: string; since: Date; order: string }

export type FollowWriter = { follow: Submitted<typeof follow> }

export function followStore(db: Db, writer: FollowWriter) {
  const follows: Collection<FollowDocument> = db.collection('follows')

  const find = batchRead<Pick<FollowDocument, '_id'>, true>(db, {
    collection: 'follows',
    filter: (names) =>
      keysFilter(
        names.map((name) => {
          const [from = '', to = ''] = name.split(' ')
          return followKey(from, to)
        }),
      ),
    projection: { _id: 1 },
    hint: idHint,
    toEntry: ({ _id: { from, to } }) => [pairName(from.toString(), to.toString()), true],
  })

  async function page(
    filter: Filter<FollowDocument>,
    hint: (typeof listIndexes)[keyof typeof listIndexes],
    { after, limit }: Position,
  ): Promise<Follow[]> {
    const found = await follows
      .find({ ...filter, ...(after !== undefined && { order: { $lt: toUuid(after) } }) }, { hint, ...boundedTime })
      .sort({ order: -1 })
      .limit(limit + 1)
      .toArray()
    return found.map((follow) => {
      const order = follow.order.toString()
      return { from: follow.from.toString(), to: follow.to.toString(), since: timeOf(order), order }
    })
  }

  return {
    follow: (from: string, to: string, maxFollowed: number, deadline?: number): Promise<FollowResult> =>
      writer.follow({ from, to, follows: true, order: newId(), maxFollowed }, deadline),

    unfollow: (from: string, to: string, deadline?: number): Promise<FollowResult> =>
      writer.follow({ from, to, follows: false, order: newId() }, deadline),

    async isFollowing(from: string, to: string): Promise<boolean> {
      return (await find(pairName(from, to))) ?? false
    },

    listFollowers: (to: string, position: Position) => page({ to: toUuid(to) }, listIndexes.followers, position),

    listFollowing: (from: string, position: Position) => page({ from: toUuid(from) }, listIndexes.following, position),

    /** All, or `limit` of them, in no order: a covered query. */
    async followedBy(account: string, limit?: number): Promise<UUID[]> {
      const found = await follows
        .aggregate<{ followed: UUID[] }>(
          [
            { $match: { from: toUuid(account) } },
            ...(limit === undefined ? [] : [{ $limit: limit }]),
            // One document: thousands of them take the event loop twice as long.
            { $group: { _id: null, followed: { $push: '$to' } } },
          ],
          { hint: followedIndex, ...boundedTime },
        )
        .toArray()
      return found[0]?.followed ?? []
    },
  }
}

export type FollowStore = ReturnType<typeof followStore>
