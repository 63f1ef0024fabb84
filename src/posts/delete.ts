import type { Collection } from 'mongodb'
import { addPosts } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import { addReplies } from './counts.ts'
import type { PostDocument, PostTombstone } from './model.ts'

/** @property id - of the command: it identifies a retry */
export type DeletePostCommand = { id: string; post: string; by: string }

export type DeletePostResult = { outcome: 'deleted' | 'not-author' | 'not-found' }

/** The tombstone holds the command's id, so that a retry finds that it was applied. */
export const deletePost: WriteOperation<DeletePostCommand, DeletePostResult> = {
  name: 'deletePost',
  key: ({ post }) => post,
  actor: () => null,
  apply: applyDeletePosts,
}

/** Replies stay; the tombstone makes sweep.ts delete the reactions. */
async function applyDeletePosts(
  { db, session }: BatchContext,
  commands: readonly DeletePostCommand[],
): Promise<DeletePostResult[]> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const tombstones: Collection<PostTombstone> = db.collection('removedPosts')

  const ids = [...new Set(commands.map(({ post }) => post))].map(toUuid)
  const found = await posts
    .find({ _id: { $in: ids } }, { session, projection: { author: 1, replyTo: 1 }, ...singleBatch(ids.length) })
    .toArray()
  const existing = new Map(found.map((post) => [post._id.toString(), post]))

  // Of several commands for one post, the first deletes it.
  const deletions = new Map<string, DeletePostCommand>()
  for (const command of commands) {
    const { post, by } = command
    if (existing.get(post)?.author.toString() === by && !deletions.has(post)) deletions.set(post, command)
  }
  const deleted = found.filter(({ _id }) => deletions.has(_id.toString()))
  if (deleted.length > 0) {
    const authors = deleted.map(({ author }) => author)
    const parents = deleted.flatMap(({ replyTo }) => replyTo ?? [])
    await posts.deleteMany({ _id: { $in: deleted.map(({ _id }) => _id) } }, { session })
    await addPosts(db, session, authors, -1)
    await addReplies(db, session, parents, -1)
    const documents = [...deletions.values()].map(({ id, post }) => ({ _id: toUuid(post), removal: toUuid(id) }))
    await tombstones.insertMany(documents, { session })
  }

  const missing = ids.filter((id) => !existing.has(id.toString()))
  const earlier =
    missing.length === 0
      ? []
      : await tombstones.find({ _id: { $in: missing } }, { session, ...singleBatch(missing.length) }).toArray()
  const alreadyApplied = new Set(earlier.map(({ removal }) => removal.toString()))
  return commands.map((command): DeletePostResult => {
    if (deletions.get(command.post) === command || alreadyApplied.has(command.id)) return { outcome: 'deleted' }
    const post = existing.get(command.post)
    return { outcome: post && post.author.toString() !== command.by ? 'not-author' : 'not-found' }
  })
}
