import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb'
import { addToDays, type Change } from '../analytics/daily-counts.ts'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { PostCounts, PostDocument } from '../posts/model.ts'
import type { Inside } from '../writer/fence.ts'
import type { WriteBatch } from '../writer/group-commit.ts'
import { pairName, type ReactionDocument, reactionKey } from './model.ts'
import type { ReactionValue } from './value.ts'

/**
 * A wish to set, move or (null) withdraw an account's reaction.
 * @property order - the place of a reaction that begins with this wish: a UUIDv7 of its own.
 */
export type ReactWish = { post: string; account: string; value: ReactionValue | null; order: string }

/** What a reaction came to: its value, or null for none, and the post's counts after it. */
export type Reacted = { value: ReactionValue | null; counts: PostCounts }

/** One account's reaction to one post, or null for none. */
type Reaction = { value: ReactionValue; order: string } | null

type Pair = { post: string; account: string; before: Reaction; after: Reaction }

/** What a wish makes of what stands: whoever changes their mind keeps their place, whoever comes back has a new one. */
const fold = (standing: Reaction, { value, order }: ReactWish): Reaction =>
  value === null ? null : { value, order: standing?.order ?? order }

/** What the counts of each post gain: nothing is a gain, too. */
function gains(pairs: Iterable<Pair>): Map<string, { likes: number; dislikes: number }> {
  const sums = new Map<string, { likes: number; dislikes: number }>()
  for (const { post, before, after } of pairs) {
    const sum = sums.get(post) ?? { likes: 0, dislikes: 0 }
    const gain = (value: ReactionValue) => Number(after?.value === value) - Number(before?.value === value)
    sums.set(post, { likes: sum.likes + gain('like'), dislikes: sum.dislikes + gain('dislike') })
  }
  return sums
}

function changeOf({ post, account, before, after }: Pair): AnyBulkWriteOperation<ReactionDocument>[] {
  const _id = reactionKey(post, account)
  if (before?.value === after?.value && before?.order === after?.order) return []
  if (after === null) return [{ deleteOne: { filter: { _id } } }]
  const standing = { value: after.value, order: toUuid(after.order) }
  return before === null
    ? [{ insertOne: { document: { _id, post: _id.post, account: _id.account, ...standing } } }]
    : [{ updateOne: { filter: { _id }, update: { $set: standing } } }]
}

/** What the days lose and gain by it. */
function daysOf({ before, after }: Pair): Change[] {
  if (before?.value === after?.value && before?.order === after?.order) return []
  return [...(before ? [{ ...before, gain: -1 as const }] : []), ...(after ? [{ ...after, gain: 1 as const }] : [])]
}

/**
 * Writes reactions, and the counts of their posts and days with them; the answer is null where there is no such post.
 *
 * Every post of the batch is written to, even where its counts stay as they are: `revision` makes MongoDB see a
 * conflict with whoever deletes it at the same time ($inc by 0 is no write). Without it the reaction would outlive it.
 * For the same reason its counts are those of the snapshot and what they gain: nobody else can have changed them.
 */
export function react(db: Db, { writer, isGone }: Inside): WriteBatch<ReactWish, Reacted | null> {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const posts: Collection<PostDocument> = db.collection('posts')

  return async (wishes, session) => {
    const ids = [...new Set(wishes.map(({ post }) => post))]
    const standing = await posts
      .find(
        { _id: { $in: ids.map(toUuid) } },
        { session, projection: { author: 1, counts: 1 }, ...inOneAnswer(ids.length) },
      )
      .toArray()
    const known = new Map(standing.map(({ _id, ...post }) => [_id.toString(), post]))
    /** The posts of an account that is gone are there for nobody else who is. */
    const isThere = ({ post, account }: ReactWish) => {
      const author = known.get(post)?.author.toString()
      return author !== undefined && (!isGone(author) || isGone(account))
    }

    const possible = wishes.filter(isThere)
    const pairs = new Map<string, Pair>()
    for (const { post, account } of possible) {
      pairs.set(pairName(post, account), { post, account, before: null, after: null })
    }
    const keys = [...pairs.values()].map(({ post, account }) => reactionKey(post, account))
    const found =
      keys.length === 0
        ? []
        : await reactions.find({ _id: { $in: keys } }, { session, ...inOneAnswer(keys.length) }).toArray()
    for (const { post, account, value, order } of found) {
      const pair = pairs.get(pairName(post.toString(), account.toString()))
      if (pair) pair.before = pair.after = { value, order: order.toString() }
    }
    for (const wish of possible) {
      const pair = pairs.get(pairName(wish.post, wish.account))
      if (pair) pair.after = fold(pair.after, wish)
    }

    const sums = gains(pairs.values())
    if (sums.size > 0) {
      await posts.bulkWrite(
        [...sums].map(([post, { likes, dislikes }]) => ({
          updateOne: {
            filter: { _id: toUuid(post) },
            update: { $inc: { 'counts.likes': likes, 'counts.dislikes': dislikes, revision: 1 } },
          },
        })),
        { session, ordered: false },
      )
    }
    const changes = [...pairs.values()].flatMap(changeOf)
    if (changes.length > 0) await reactions.bulkWrite(changes, { session, ordered: false })
    await addToDays(db, session, writer, [...pairs.values()].flatMap(daysOf))

    return wishes.map((wish) => {
      const counts = known.get(wish.post)?.counts
      const gain = sums.get(wish.post)
      if (!counts || !gain || !isThere(wish)) return null
      const { likes, dislikes, replies } = counts
      return { value: wish.value, counts: { likes: likes + gain.likes, dislikes: dislikes + gain.dislikes, replies } }
    })
  }
}
