import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb'
import type { WriteBatch } from '../database/group-commit.ts'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/queries.ts'
import type { PostCounts, PostDocument } from '../posts/document.ts'
import { pairName, type ReactionDocument, reactionKey } from './document.ts'
import type { ReactionValue } from './schema.ts'

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

/**
 * Writes reactions, and the counts of their posts with them; the answer is null where there is no such post.
 *
 * Every post of the batch is written to, even where its counts stay as they are: `revision` makes MongoDB see a
 * conflict with whoever deletes it at the same time ($inc by 0 is no write). Without it the reaction would outlive it.
 */
export function react(db: Db): WriteBatch<ReactWish, Reacted | null> {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const posts: Collection<PostDocument> = db.collection('posts')

  return async (wishes, session) => {
    const pairs = new Map<string, Pair>()
    for (const wish of wishes) {
      pairs.set(pairName(wish.post, wish.account), {
        post: wish.post,
        account: wish.account,
        before: null,
        after: null,
      })
    }
    const found = await reactions
      .find(
        { _id: { $in: [...pairs.values()].map(({ post, account }) => reactionKey(post, account)) } },
        { session, ...inOneAnswer(pairs.size) },
      )
      .toArray()
    for (const { post, account, value, order } of found) {
      const pair = pairs.get(pairName(post.toString(), account.toString()))
      if (pair) pair.before = pair.after = { value, order: order.toString() }
    }
    for (const wish of wishes) {
      const pair = pairs.get(pairName(wish.post, wish.account))
      if (pair) pair.after = fold(pair.after, wish)
    }

    const sums = [...gains(pairs.values())]
    await posts.bulkWrite(
      sums.map(([post, { likes, dislikes }]) => ({
        updateOne: {
          filter: { _id: toUuid(post) },
          update: { $inc: { 'counts.likes': likes, 'counts.dislikes': dislikes, revision: 1 } },
        },
      })),
      { session, ordered: false },
    )
    const counted = await posts
      .find(
        { _id: { $in: sums.map(([post]) => toUuid(post)) } },
        { session, projection: { counts: 1 }, ...inOneAnswer(sums.length) },
      )
      .toArray()
    const counts = new Map(counted.map((post) => [post._id.toString(), post.counts]))

    const changes = [...pairs.values()].filter(({ post }) => counts.has(post)).flatMap(changeOf)
    if (changes.length > 0) await reactions.bulkWrite(changes, { session, ordered: false })
    return wishes.map(({ post, value }) => {
      const after = counts.get(post)
      return after ? { value, counts: after } : null
    })
  }
}
