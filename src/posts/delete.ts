import type { Collection, Db } from 'mongodb'
import { addPosts } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { WriteBatch } from '../writer/group-commit.ts'
import { addReplies } from './counts.ts'
import type { PostDocument, RemovedPost } from './model.ts'

/**
 * A wish to remove a post.
 * @property id - the wish's own, by which it is known again.
 * @property by - the account that wishes it.
 */
export type RemoveWish = { id: string; post: string; by: string }

export type Removed = 'done' | 'not-yours' | 'not-found'

/**
 * Removes posts; their replies stay. With the post goes what it counted elsewhere, and the wish is written down to
 * remove its reactions: see sweep.ts.
 */
export function removePosts(db: Db): WriteBatch<RemoveWish, Removed> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const removed: Collection<RemovedPost> = db.collection('removedPosts')

  return async (wishes, session) => {
    const ids = [...new Set(wishes.map(({ post }) => post))].map(toUuid)
    const found = await posts
      .find({ _id: { $in: ids } }, { session, projection: { author: 1, replyTo: 1 }, ...inOneAnswer(ids.length) })
      .toArray()
    const standing = new Map(found.map((post) => [post._id.toString(), post]))

    // Of several wishes for one post the first removes it.
    const removals = new Map<string, RemoveWish>()
    for (const wish of wishes) {
      const { post, by } = wish
      if (standing.get(post)?.author.toString() === by && !removals.has(post)) removals.set(post, wish)
    }
    const gone = found.filter(({ _id }) => removals.has(_id.toString()))
    if (gone.length > 0) {
      await posts.deleteMany({ _id: { $in: gone.map(({ _id }) => _id) } }, { session })
      await addPosts(
        db,
        session,
        gone.map(({ author }) => author),
        -1,
      )
      await addReplies(
        db,
        session,
        gone.flatMap(({ replyTo }) => replyTo ?? []),
        -1,
      )
      await removed.insertMany(
        [...removals.values()].map(({ id, post }) => ({ _id: toUuid(post), removal: toUuid(id) })),
        { session },
      )
    }

    // A wish that is given again finds that it was carried out.
    const missing = ids.filter((id) => !standing.has(id.toString()))
    const before =
      missing.length === 0
        ? []
        : await removed.find({ _id: { $in: missing } }, { session, ...inOneAnswer(missing.length) }).toArray()
    const carriedOut = new Set(before.map(({ removal }) => removal.toString()))
    return wishes.map((wish): Removed => {
      if (removals.get(wish.post) === wish || carriedOut.has(wish.id)) return 'done'
      const found = standing.get(wish.post)
      return found && found.author.toString() !== wish.by ? 'not-yours' : 'not-found'
    })
  }
}
