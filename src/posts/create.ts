import type { ClientSession, Collection, Db } from 'mongodb'
import { addPosts } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Inside } from '../writer/fence.ts'
import type { WriteBatch } from '../writer/group-commit.ts'
import { addReplies, noCounts } from './counts.ts'
import { type Claim, idempotencyRecords } from './idempotency.ts'
import type { PostDocument, RemovedPost } from './model.ts'

/**
 * A wish to create a post.
 * @property id - the post's, chosen beforehand: by it a wish is known again.
 * @property claim - a key under which this is done at most once.
 * @property again - whether it was given before and may be carried out already.
 */
export type CreateWish = {
  id: string
  author: string
  text: string
  replyTo: string | null
  claim: Claim | null
  again?: boolean
}

export type Created =
  | { outcome: 'created' }
  | { outcome: 'no-such-parent' | 'other-body' }
  /** The post that an earlier wish under the same key created. */
  | { outcome: 'replayed'; post: string }

function documentOf({ id, author, text, replyTo }: CreateWish): PostDocument {
  return {
    _id: toUuid(id),
    author: toUuid(author),
    text,
    editedAt: null,
    replyTo: replyTo === null ? null : toUuid(replyTo),
    ...(replyTo === null && { root: true }),
    counts: noCounts,
    revision: 0,
  }
}

/** Creates posts, with their authors' and parents' counts and the records of their keys. */
export function createPosts(db: Db, { isGone }: Inside): WriteBatch<CreateWish, Created> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const removed: Collection<RemovedPost> = db.collection('removedPosts')
  const idempotency = idempotencyRecords(db)

  /** The authors of those of these posts that are there, by post. */
  async function authorsOf(ids: readonly string[], session: ClientSession): Promise<Map<string, string>> {
    if (ids.length === 0) return new Map()
    const query = { _id: { $in: ids.map(toUuid) } }
    const found = await posts.find(query, { session, projection: { author: 1 }, ...inOneAnswer(ids.length) }).toArray()
    return new Map(found.map(({ _id, author }) => [_id.toString(), author.toString()]))
  }

  /** Which of the wishes that are given again were carried out, be it that their post is gone meanwhile. */
  async function carriedOut(wishes: readonly CreateWish[], session: ClientSession): Promise<Set<string>> {
    const ids = wishes.filter(({ again }) => again).map(({ id }) => id)
    if (ids.length === 0) return new Set()
    const gone = await removed
      .find({ _id: { $in: ids.map(toUuid) } }, { session, ...inOneAnswer(ids.length) })
      .toArray()
    return new Set([...(await authorsOf(ids, session)).keys(), ...gone.map(({ _id }) => _id.toString())])
  }

  return async (wishes, session) => {
    const done = await carriedOut(wishes, session)
    const parents = await authorsOf([...new Set(wishes.flatMap(({ replyTo }) => replyTo ?? []))], session)
    const isThere = (post: string) => !isGone(parents.get(post) ?? '') && parents.has(post)
    const records = await idempotency.read(wishes, session)

    const fresh: CreateWish[] = []
    const outcomes = wishes.map((wish): Created => {
      if (done.has(wish.id)) return { outcome: 'created' }
      const earlier = records.of(wish)
      if (earlier) return earlier.sameBody ? { outcome: 'replayed', post: earlier.post } : { outcome: 'other-body' }
      if (wish.replyTo !== null && !isThere(wish.replyTo)) return { outcome: 'no-such-parent' }
      records.take(wish)
      fresh.push(wish)
      return { outcome: 'created' }
    })

    if (fresh.length > 0) {
      const documents = fresh.map(documentOf)
      await posts.insertMany(documents, { session, ordered: false })
      await addPosts(
        db,
        session,
        documents.map(({ author }) => author),
        1,
      )
      await addReplies(
        db,
        session,
        documents.flatMap(({ replyTo }) => replyTo ?? []),
        1,
      )
      await records.write()
    }
    return outcomes
  }
}
