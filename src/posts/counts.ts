import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { PostCounts, PostDocument } from './model.ts'

export const noCounts: PostCounts = { likes: 0, dislikes: 0, replies: 0 }

/** Deleted parents are skipped. @param each - added for each reply */
export async function addReplies(db: Db, session: ClientSession, parents: readonly UUID[], each: 1 | -1) {
  const posts: Collection<PostDocument> = db.collection('posts')
  const sums = Map.groupBy(parents, (parent) => parent.toString())
  const updates = [...sums].map(([parent, { length }]) => ({
    updateOne: { filter: { _id: toUuid(parent) }, update: { $inc: { 'counts.replies': each * length, revision: 1 } } },
  }))
  if (updates.length > 0) await posts.bulkWrite(updates, { session, ordered: false })
}
