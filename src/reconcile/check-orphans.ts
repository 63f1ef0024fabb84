import type { ClientSession, Collection, Db, Document, UUID } from 'mongodb'
import type { Transact } from '../database/transaction.ts'
import type { PostDocument, RemovedPost } from '../posts/document.ts'
import type { ReactionDocument } from '../reactions/document.ts'
import { type Check, type Chunk, fixPatience } from './check.ts'

/** In one transaction. */
const mostRemoved = 500

/** Reactions to posts that are not there, and not waiting to be swept: see posts/sweep.ts. Nothing counts them. */
export const checkOrphans = (db: Db, transact: Transact): Check => ({
  name: 'reactions',
  read: readSome,
  prepare: async () => undefined,
  fix: ({ id }) => removeOrphans(db, transact, id),
})

/** What reacts to posts in a range of ids but to none of these: an index is read in the gaps between them. */
export function orphanPipeline(range: Document, posts: readonly UUID[], limit: number): Document[] {
  return [
    { $match: { post: { ...range, $nin: posts } } },
    { $group: { _id: '$post', count: { $sum: 1 } } },
    { $lookup: { from: 'removedPosts', localField: '_id', foreignField: '_id', as: 'removed' } },
    { $match: { removed: { $not: { $elemMatch: { sweptAt: { $exists: false } } } } } },
    { $project: { count: 1 } },
    { $sort: { _id: 1 } },
    { $limit: limit },
  ]
}

/** Walks over the posts, and looks what is between them. */
async function readSome(db: Db, session: ClientSession, after: UUID, size: number): Promise<Chunk> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const page = { session, batchSize: size + 1 }
  const standing = await posts
    .find({ _id: { $gt: after } }, { ...page, projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(size)
    .toArray()
  const ids = standing.map(({ _id }) => _id)
  const lastPost = ids.length < size ? undefined : ids.at(-1)
  const pipeline = orphanPipeline({ $gt: after, ...(lastPost && { $lte: lastPost }) }, ids, size)
  const orphans = await reactions.aggregate<{ _id: UUID; count: number }>(pipeline, page).toArray()

  const end = (orphans.length < size ? undefined : orphans.at(-1)?._id) ?? lastPost
  const checked = await reactions.countDocuments({ post: { $gt: after, ...(end && { $lte: end }) } }, { session })
  const drifts = orphans.map(({ _id, count }) => ({
    id: _id,
    amount: count,
    words: `post ${_id}: is gone, ${count} of its reactions left`,
  }))
  return { checked, drifts, next: end ?? null }
}

/**
 * Removes the reactions to a post that is gone.
 *
 * Why nothing is removed that somebody wants: that the post is gone is seen in the snapshot in which its reactions are
 * found. No post gets an id that another had, and a reaction is written only together with its post: so what has no
 * post now has none ever after, and gets no more reactions.
 */
async function removeOrphans(db: Db, transact: Transact, post: UUID): Promise<void> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const removed: Collection<RemovedPost> = db.collection('removedPosts')
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const removeSome = () =>
    transact(async (session) => {
      const one = { session, projection: { _id: 1 } } as const
      if (await posts.findOne({ _id: post }, one)) return 0
      // The sweeper's: it says when it has done.
      if (await removed.findOne({ _id: post, sweptAt: { $exists: false } }, one)) return 0
      const some = await reactions.find({ post }, one).limit(mostRemoved).toArray()
      if (some.length > 0) await reactions.deleteMany({ _id: { $in: some.map(({ _id }) => _id) } }, { session })
      return some.length
    }, performance.now() + fixPatience)
  while ((await removeSome()) === mostRemoved);
}
