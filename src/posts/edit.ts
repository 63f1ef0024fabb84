import type { Collection, Db } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { WriteBatch } from '../writer/group-commit.ts'
import type { PostCounts, PostDocument } from './model.ts'

/**
 * A wish to change a post's text.
 * @property by - the account that wishes it.
 * @property at - when, in milliseconds since 1970.
 */
export type EditWish = { post: string; by: string; text: string; at: number }

/** What is not in the wish of the post as it is after it. */
export type Edited =
  | { outcome: 'edited'; replyTo: string | null; counts: PostCounts }
  | { outcome: 'not-yours' | 'not-found' }

/** Changes posts' texts. It is written in the batch, because outside of it, it would conflict with every batch on the post. */
export function editPosts(db: Db): WriteBatch<EditWish, Edited> {
  const posts: Collection<PostDocument> = db.collection('posts')
  return async (wishes, session) => {
    const ids = [...new Set(wishes.map(({ post }) => post))]
    const found = await posts
      .find({ _id: { $in: ids.map(toUuid) } }, { session, projection: { text: 0 }, ...inOneAnswer(ids.length) })
      .toArray()
    const standing = new Map(found.map((post) => [post._id.toString(), post]))
    const allowed = wishes.filter(({ post, by }) => standing.get(post)?.author.toString() === by)
    if (allowed.length > 0) {
      // Ordered: of two wishes for one post the later one stands.
      await posts.bulkWrite(
        allowed.map(({ post, by, text, at }) => ({
          updateOne: {
            filter: { _id: toUuid(post), author: toUuid(by) },
            update: { $set: { text, editedAt: new Date(at) } },
          },
        })),
        { session },
      )
    }
    return wishes.map(({ post, by }): Edited => {
      const found = standing.get(post)
      if (!found) return { outcome: 'not-found' }
      if (found.author.toString() !== by) return { outcome: 'not-yours' }
      return { outcome: 'edited', replyTo: found.replyTo?.toString() ?? null, counts: found.counts }
    })
  }
}
