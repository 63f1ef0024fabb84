import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

export type Counts = { posts: number; followers: number; following: number }

/** Apart from the accounts, because posts and follows write them all the time. */
export type CountsDocument = Counts & { _id: UUID }

export const noCounts: Counts = { posts: 0, followers: 0, following: 0 }

/**
 * Adds to how many posts accounts have, inside the transaction that writes the posts.
 * @param authors - the author of each of them.
 */
export async function addPosts(db: Db, session: ClientSession, authors: readonly UUID[], each: 1 | -1): Promise<void> {
  const counts: Collection<CountsDocument> = db.collection('accountCounts')
  const sums = Map.groupBy(authors, (author) => author.toString())
  const updates = [...sums].map(([author, { length }]) => ({
    updateOne: { filter: { _id: toUuid(author) }, update: { $inc: { posts: each * length } } },
  }))
  if (updates.length > 0) await counts.bulkWrite(updates, { session, ordered: false })
}
