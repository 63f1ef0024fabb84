import type { Collection, Db, Filter } from 'mongodb'
import { coalesce } from '../database/batch-loader.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Position } from '../http/pages.ts'
import type { Writer } from '../write-operations.ts'
import { noCounts } from './counts.ts'
import type { Removed } from './delete.ts'
import type { Edited } from './edit.ts'
import { type Claim, idempotencyRecords } from './idempotency.ts'
import { fromDocument, listIndexes, type Post, type PostDocument } from './model.ts'

/** What became of a wish to create a post. */
export type Creation =
  | { outcome: 'created' | 'replayed'; post: Post }
  | { outcome: 'deleted-meanwhile' | 'other-body' | 'no-such-parent' }

/** Keeps posts. What a write changes elsewhere (counts, the idempotency record) it changes in the same transaction. */
export function postStore(db: Db, writer: Writer) {
  const posts: Collection<PostDocument> = db.collection('posts')

  const find = coalesce<Post>(async (ids) => {
    const found = await posts.find({ _id: { $in: ids.map(toUuid) } }, inOneAnswer(ids.length)).toArray()
    return new Map(found.map(fromDocument).map((post) => [post.id, post]))
  })

  async function page(
    filter: Filter<PostDocument>,
    hint: (typeof listIndexes)[keyof typeof listIndexes],
    { after, limit }: Position,
  ): Promise<Post[]> {
    const found = await posts
      .find({ ...filter, ...(after !== undefined && { _id: { $lt: toUuid(after) } }) }, { hint })
      .sort({ _id: -1 })
      .limit(limit + 1)
      .toArray()
    return found.map(fromDocument)
  }

  return {
    find,

    /** Creates a post; with a claim at most once for its key, however often and however many at a time ask. */
    async create(
      wish: { author: string; text: string; replyTo: string | undefined },
      claim: Claim | undefined,
    ): Promise<Creation> {
      const { author, text, replyTo = null } = wish
      const id = newId()
      const created = await writer.create({ id, author, text, replyTo, claim: claim ?? null })
      if (created.outcome === 'created') {
        const post = { id, author, text, createdAt: timeOf(id), editedAt: null, replyTo, counts: noCounts }
        return { outcome: 'created', post }
      }
      if (created.outcome !== 'replayed') return created
      const post = await find(created.post)
      return post ? { outcome: 'replayed', post } : { outcome: 'deleted-meanwhile' }
    },

    /** What is no reply, newest first. */
    listRoots: (position: Position) => page({ root: true }, listIndexes.roots, position),

    /** All that an account wrote, replies included, newest first. */
    listByAuthor: (author: string, position: Position) =>
      page({ author: toUuid(author) }, listIndexes.byAuthor, position),

    /** The replies to a post, newest first. */
    // The index has replies only, by their type: MongoDB uses it for what asks for that type.
    listReplies: (post: string, position: Position) =>
      page({ replyTo: { $eq: toUuid(post), $type: 'binData' } }, listIndexes.replies, position),

    /** Changes one's own post. */
    async edit(id: string, author: string, text: string): Promise<Post | Exclude<Edited['outcome'], 'edited'>> {
      const at = Date.now()
      const edited = await writer.edit({ post: id, by: author, text, at })
      if (edited.outcome !== 'edited') return edited.outcome
      const { replyTo, counts } = edited
      return { id, author, text, createdAt: timeOf(id), editedAt: new Date(at), replyTo, counts }
    },

    /** Removes all idempotency keys of an account. */
    forgetKeys: idempotencyRecords(db).forget,

    /** Deletes one's own post. Its reactions can be reached no more at once, and are swept after it: see sweep.ts. */
    remove: (id: string, author: string): Promise<Removed> => writer.remove({ id: newId(), post: id, by: author }),
  }
}

export type PostStore = ReturnType<typeof postStore>
