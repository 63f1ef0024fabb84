import type { Db, Filter } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { boundedTime } from '../database/max-time.ts'
import { sharedQuery } from '../database/shared-query.ts'
import { batchRead, turnReads } from '../database/turn-reads.ts'
import type { Position } from '../http/pages.ts'
import { recentMap } from '../limits/recent-map.ts'
import type { Submitted } from '../writer/operation.ts'
import { noCounts } from './counts.ts'
import type { createPost } from './create.ts'
import type { DeletePostResult, deletePost } from './delete.ts'
import type { editPost } from './edit.ts'
import { type Claim, idempotencyRecords } from './idempotency.ts'
import { listIndexes, type Post, type PostDocument, toPost } from './model.ts'

export type PostWriter = {
  createPost: Submitted<typeof createPost>
  editPost: Submitted<typeof editPost>
  deletePost: Submitted<typeof deletePost>
}

export type CreateOutcome =
  | { outcome: 'created' | 'replayed'; post: Post }
  | { outcome: 'deleted-since' | 'key-reused' | 'parent-not-found' }

export type EditOutcome = { outcome: 'edited'; post: Post } | { outcome: 'not-author' | 'not-found' }

type Hint = (typeof listIndexes)[keyof typeof listIndexes]

export function postStore(db: Db, writer: PostWriter) {
  const turn = turnReads(db)
  const authors = recentMap<string>(10_000)

  const find = batchRead<PostDocument, Post>(db, {
    collection: 'posts',
    filter: (ids) => ({ _id: { $in: ids.map(toUuid) } }),
    toEntry(found) {
      const post = toPost(found)
      authors.set(post.id, post.author)
      return [post.id, post]
    },
  })

  async function readPage(filter: Filter<PostDocument>, hint: Hint, { after, limit }: Position): Promise<Post[]> {
    const found = await turn.query({
      collection: 'posts',
      filter: { ...filter, ...(after !== undefined && { _id: { $lt: toUuid(after) } }) },
      hint,
      sort: { _id: -1 },
      limit: limit + 1,
      count: limit + 1,
      ...boundedTime,
    })
    // The collection holds nothing else.
    return (found as PostDocument[]).map(toPost)
  }

  const shared = sharedQuery<readonly Post[]>(turn.schedule)

  const page = (list: string, filter: Filter<PostDocument>, hint: Hint, position: Position) =>
    shared(`${list} ${position.after} ${position.limit}`, () => readPage(filter, hint, position))

  return {
    find,

    /** The author of a post that this process has read, whether or not it still exists: it never changes. */
    knownAuthor: authors.get,

    /** Creates a post; with a claim, at most one for its key, however many concurrent requests repeat it. */
    async create(
      content: { author: string; text: string; replyTo: string | undefined },
      claim: Claim | undefined,
      deadline?: number,
    ): Promise<CreateOutcome> {
      const { author, text, replyTo = null } = content
      const id = newId()
      const result = await writer.createPost({ id, author, text, replyTo, claim: claim ?? null }, deadline)
      if (result.outcome === 'created') {
        const post = { id, author, text, createdAt: timeOf(id), editedAt: null, replyTo, counts: noCounts }
        return { outcome: 'created', post }
      }
      if (result.outcome !== 'replayed') return result
      const post = await find(result.post)
      return post ? { outcome: 'replayed', post } : { outcome: 'deleted-since' }
    },

    listRoots: (position: Position) => page('roots', { root: true }, listIndexes.roots, position),

    listByAuthor: (author: string, position: Position) =>
      page(`by ${author}`, { author: toUuid(author) }, listIndexes.byAuthor, position),

    // The index is partial by type: MongoDB uses it only for queries that name the type.
    listReplies: (post: string, position: Position) =>
      page(`to ${post}`, { replyTo: { $eq: toUuid(post), $type: 'binData' } }, listIndexes.replies, position),

    async edit(id: string, author: string, text: string, deadline?: number): Promise<EditOutcome> {
      const at = Date.now()
      const result = await writer.editPost({ post: id, by: author, text, at }, deadline)
      if (result.outcome !== 'edited') return result
      const { replyTo, counts } = result
      const post = { id, author, text, createdAt: timeOf(id), editedAt: new Date(at), replyTo, counts }
      return { outcome: 'edited', post }
    },

    deleteIdempotencyRecords: idempotencyRecords(db).deleteAll,

    /** Deletes an author's own post. Its reactions are hidden at once and swept later: see sweep.ts. */
    delete: (id: string, author: string, deadline?: number): Promise<DeletePostResult> =>
      writer.deletePost({ id: newId(), post: id, by: author }, deadline),
  }
}

export type PostStore = ReturnType<typeof postStore>
