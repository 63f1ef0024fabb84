import type { ClientSession, Collection, Db, Filter, UUID } from 'mongodb'
import type { AccountStore } from '../accounts/store.ts'
import { isDuplicateKey } from '../database/failures.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import type { Position } from '../http/pages.ts'
import { type Claim, idempotencyRecords } from './idempotency.ts'

export type PostCounts = { likes: number; dislikes: number; replies: number }

type PostDocument = {
  _id: UUID
  author: UUID
  text: string
  editedAt: Date | null
  replyTo: UUID | null
  /** Present on what is no reply: the public list reads an index of these alone. */
  root?: true
  counts: PostCounts
}

/** Posts whose reactions are still to be removed. */
export type SweepDocument = { _id: UUID }

export type Post = {
  id: string
  author: string
  text: string
  createdAt: Date
  editedAt: Date | null
  replyTo: string | null
  counts: PostCounts
}

/** What became of a wish to create a post. */
export type Creation =
  | { outcome: 'created' | 'replayed'; post: Post }
  | { outcome: 'deleted-meanwhile' | 'other-body' | 'no-such-parent' }

export type Change = 'done' | 'not-yours' | 'not-found'

export const postIndexes = [
  { key: { root: 1, _id: -1 }, partialFilterExpression: { root: true } },
  { key: { author: 1, _id: -1 } },
  { key: { replyTo: 1, _id: -1 }, partialFilterExpression: { replyTo: { $type: 'binData' } } },
] as const

class NoSuchParent extends Error {}

function fromDocument({ _id, author, text, editedAt, replyTo, counts }: PostDocument): Post {
  const id = _id.toString()
  return {
    id,
    author: author.toString(),
    text,
    createdAt: timeOf(id),
    editedAt,
    replyTo: replyTo?.toString() ?? null,
    counts,
  }
}

/** Keeps posts. What a write changes elsewhere (counts, the idempotency record) it changes in the same transaction. */
export function postStore(db: Db, transact: Transact, accounts: AccountStore) {
  const posts: Collection<PostDocument> = db.collection('posts')
  const sweeps: Collection<SweepDocument> = db.collection('sweeps')
  const idempotency = idempotencyRecords(db)

  async function find(id: string): Promise<Post | undefined> {
    const found = await posts.findOne({ _id: toUuid(id) })
    return found ? fromDocument(found) : undefined
  }

  async function page(filter: Filter<PostDocument>, { after, limit }: Position): Promise<Post[]> {
    const found = await posts
      .find(after === undefined ? filter : { ...filter, _id: { $lt: toUuid(after) } })
      .sort({ _id: -1 })
      .limit(limit + 1)
      .toArray()
    return found.map(fromDocument)
  }

  async function addReplies(parent: UUID, difference: 1 | -1, session: ClientSession): Promise<boolean> {
    const { matchedCount } = await posts.updateOne(
      { _id: parent },
      { $inc: { 'counts.replies': difference } },
      { session },
    )
    return matchedCount === 1
  }

  /** Why a change of one's own post found none. */
  async function refusal(id: string): Promise<Exclude<Change, 'done'>> {
    return (await posts.findOne({ _id: toUuid(id) }, { projection: { _id: 1 } })) ? 'not-yours' : 'not-found'
  }

  async function create(
    { author, text, replyTo }: { author: string; text: string; replyTo: string | undefined },
    claim: Claim | undefined,
  ): Promise<Creation> {
    const document: PostDocument = {
      _id: toUuid(newId()),
      author: toUuid(author),
      text,
      editedAt: null,
      replyTo: replyTo === undefined ? null : toUuid(replyTo),
      ...(replyTo === undefined && { root: true }),
      counts: { likes: 0, dislikes: 0, replies: 0 },
    }
    const earlier = await transact(async (session) => {
      const before = claim && (await idempotency.claim(claim, document._id, session))
      if (before) return before
      if (document.replyTo && !(await addReplies(document.replyTo, 1, session))) throw new NoSuchParent()
      await posts.insertOne(document, { session })
      await accounts.addPosts(author, 1, session)
      return undefined
    })
    if (earlier === undefined) return { outcome: 'created', post: fromDocument(document) }
    if (!earlier.sameBody) return { outcome: 'other-body' }
    const post = await find(earlier.post)
    return post ? { outcome: 'replayed', post } : { outcome: 'deleted-meanwhile' }
  }

  return {
    find,

    /** Creates a post; with a claim at most once for its key, however often and however many at a time ask. */
    async create(...wish: Parameters<typeof create>): Promise<Creation> {
      try {
        // A twin that commits between our read and our write can show as a duplicate key: then its record is there.
        return await create(...wish).catch((error) => (isDuplicateKey(error) ? create(...wish) : Promise.reject(error)))
      } catch (error) {
        if (error instanceof NoSuchParent) return { outcome: 'no-such-parent' }
        throw error
      }
    },

    /** What is no reply, newest first. */
    listRoots: (position: Position) => page({ root: true }, position),

    /** All that an account wrote, replies included, newest first. */
    listByAuthor: (author: string, position: Position) => page({ author: toUuid(author) }, position),

    /** Changes one's own post; whose it is stands in the query, not in a check before it. */
    async edit(id: string, author: string, text: string): Promise<Post | Exclude<Change, 'done'>> {
      const edited = await transact((session) =>
        posts.findOneAndUpdate(
          { _id: toUuid(id), author: toUuid(author) },
          { $set: { text, editedAt: new Date() } },
          { session, returnDocument: 'after' },
        ),
      )
      return edited ? fromDocument(edited) : refusal(id)
    },

    /** Deletes one's own post. Its reactions can be reached no more at once, and are swept after it: see sweep.ts. */
    async remove(id: string, author: string): Promise<Change> {
      const removed = await transact(async (session) => {
        const post = await posts.findOneAndDelete({ _id: toUuid(id), author: toUuid(author) }, { session })
        if (!post) return false
        await accounts.addPosts(author, -1, session)
        if (post.replyTo) await addReplies(post.replyTo, -1, session)
        await sweeps.insertOne({ _id: post._id }, { session })
        return true
      })
      return removed ? 'done' : refusal(id)
    },

    /**
     * Adds to a post's reactions inside the transaction that writes the reaction.
     * @returns the counts after it, or undefined when there is no such post.
     */
    async addReactions(
      id: string,
      difference: { likes: number; dislikes: number },
      session: ClientSession,
    ): Promise<PostCounts | undefined> {
      const { likes, dislikes } = difference
      const options = { session, projection: { counts: 1 } } as const
      if (likes === 0 && dislikes === 0) return (await posts.findOne({ _id: toUuid(id) }, options))?.counts
      const updated = await posts.findOneAndUpdate(
        { _id: toUuid(id) },
        { $inc: { 'counts.likes': likes, 'counts.dislikes': dislikes } },
        { ...options, returnDocument: 'after' },
      )
      return updated?.counts
    },
  }
}

export type PostStore = ReturnType<typeof postStore>
