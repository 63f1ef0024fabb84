import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'

export type Counts = { posts: number; followers: number; following: number }

/** Apart from the accounts, because posts and follows write them all the time. */
export type CountsDocument = Counts & {
  _id: UUID
  /** Incremented by each follow and unfollow: a late commit of an earlier one conflicts, also if nothing changes. */
  revision?: number
}

export const noCounts: Counts = { posts: 0, followers: 0, following: 0 }

const countsIn = (db: Db): Collection<CountsDocument> => db.collection('accountCounts')

export async function addPosts(db: Db, session: ClientSession, authors: readonly UUID[], each: 1 | -1): Promise<void> {
  const sums = Map.groupBy(authors, (author) => author.toString())
  const updates = [...sums].map(([author, { length }]) => ({
    updateOne: { filter: { _id: toUuid(author) }, update: { $inc: { posts: each * length } } },
  }))
  if (updates.length > 0) await countsIn(db).bulkWrite(updates, { session, ordered: false })
}

export async function followedCounts(
  db: Db,
  session: ClientSession,
  accounts: ReadonlySet<string>,
): Promise<Map<string, number>> {
  if (accounts.size === 0) return new Map()
  const found = await countsIn(db)
    .find(
      { _id: { $in: [...accounts].map(toUuid) } },
      { session, projection: { following: 1 }, ...singleBatch(accounts.size) },
    )
    .toArray()
  return new Map(found.map(({ _id, following }) => [_id.toString(), following]))
}

/** Always writes the counts of `from`, also for a difference of 0. */
export async function addFollows(
  db: Db,
  session: ClientSession,
  pairs: readonly { from: string; to: string; difference: number }[],
): Promise<void> {
  const increments = new Map<string, { followers: number; following: number; revision: number }>()
  const add = (account: string, field: 'followers' | 'following' | 'revision', difference: number) => {
    const sum = increments.get(account) ?? { followers: 0, following: 0, revision: 0 }
    increments.set(account, { ...sum, [field]: sum[field] + difference })
  }
  for (const { from, to, difference } of pairs) {
    add(from, 'revision', 1)
    if (difference === 0) continue
    add(from, 'following', difference)
    add(to, 'followers', difference)
  }
  const updates = [...increments].map(([account, increment]) => ({
    updateOne: { filter: { _id: toUuid(account) }, update: { $inc: increment } },
  }))
  if (updates.length > 0) await countsIn(db).bulkWrite(updates, { session, ordered: false })
}
