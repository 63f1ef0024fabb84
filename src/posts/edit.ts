import type { Collection } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import type { PostCounts, PostDocument } from './model.ts'

/** @property at - in milliseconds since 1970 */
export type EditPostCommand = { post: string; by: string; text: string; at: number }

export type EditPostResult =
  | { outcome: 'edited'; replyTo: string | null; counts: PostCounts }
  | { outcome: 'not-author' | 'not-found' }

/** A write operation, because an edit outside of group commit would conflict with every batch that writes to the post. */
export const editPost: WriteOperation<EditPostCommand, EditPostResult> = {
  name: 'editPost',
  key: ({ post }) => post,
  actor: ({ by }) => by,
  apply: applyEditPosts,
}

async function applyEditPosts(
  { db, session }: BatchContext,
  commands: readonly EditPostCommand[],
): Promise<EditPostResult[]> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const ids = [...new Set(commands.map(({ post }) => post))]
  const found = await posts
    .find({ _id: { $in: ids.map(toUuid) } }, { session, projection: { text: 0 }, ...singleBatch(ids.length) })
    .toArray()
  const existing = new Map(found.map((post) => [post._id.toString(), post]))
  const allowed = commands.filter(({ post, by }) => existing.get(post)?.author.toString() === by)
  if (allowed.length > 0) {
    // Ordered: of two commands for one post, the later one wins.
    await posts.bulkWrite(
      allowed.map(({ post, by, text, at }) => ({
        updateOne: {
          filter: { _id: toUuid(post), author: toUuid(by) },
          update: { $set: { text, editedAt: new Date(at) }, $inc: { revision: 1 } },
        },
      })),
      { session },
    )
  }
  return commands.map(({ post: id, by }): EditPostResult => {
    const post = existing.get(id)
    if (!post) return { outcome: 'not-found' }
    if (post.author.toString() !== by) return { outcome: 'not-author' }
    return { outcome: 'edited', replyTo: post.replyTo?.toString() ?? null, counts: post.counts }
  })
}
