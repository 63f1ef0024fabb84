import type { Collection, Db, UUID } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import type { Position } from '../http/pages.ts'
import type { PostCounts, PostStore } from '../posts/store.ts'
import type { ReactionValue } from './schema.ts'

type ReactionDocument = {
  /** At most one reaction of an account to a post, by the primary key. */
  _id: { post: UUID; account: UUID }
  post: UUID
  account: UUID
  value: ReactionValue
  /** Made with the reaction and kept when its value changes: its place in lists, and when it was. */
  order: UUID
}

export type Reaction = { account: string; value: ReactionValue; reactedAt: Date; order: string }

/** What a reaction came to: its value, or null for none, and the post's counts after it. */
export type Reacted = { value: ReactionValue | null; counts: PostCounts }

export const reactionIndexes = [
  { key: { post: 1, value: 1, order: -1 } },
  { key: { account: 1, value: 1, order: -1 } },
] as const

const values: ReactionValue[] = ['like', 'dislike']

class NoSuchPost extends Error {}

/** What the counts gain when one value takes the place of another. */
function difference(before: ReactionValue | null, after: ReactionValue | null) {
  const of = (value: ReactionValue) => Number(after === value) - Number(before === value)
  return { likes: of('like'), dislikes: of('dislike') }
}

/** Keeps reactions; the post's counts change in the same transaction, so that they are always exact. */
export function reactionStore(db: Db, transact: Transact, posts: PostStore) {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const keyOf = (post: string, account: string) => ({ post: toUuid(post), account: toUuid(account) })

  return {
    /** Sets, moves or (null) withdraws an account's reaction; undefined when there is no such post. */
    async react(post: string, account: string, value: ReactionValue | null): Promise<Reacted | undefined> {
      const _id = keyOf(post, account)
      const order = toUuid(newId())
      try {
        return await transact(async (session) => {
          const before =
            value === null
              ? await reactions.findOneAndDelete({ _id }, { session })
              : await reactions.findOneAndUpdate(
                  { _id },
                  { $set: { value }, $setOnInsert: { post: _id.post, account: _id.account, order } },
                  { session, upsert: true, returnDocument: 'before' },
                )
          const counts = await posts.addReactions(post, difference(before?.value ?? null, value), session)
          // Thrown, not returned: the reaction must go with the transaction.
          if (!counts) throw new NoSuchPost()
          return { value, counts }
        })
      } catch (error) {
        if (error instanceof NoSuchPost) return undefined
        throw error
      }
    },

    /** Who reacted to a post, newest first. */
    async list(post: string, value: ReactionValue | undefined, { after, limit }: Position): Promise<Reaction[]> {
      const found = await reactions
        .find({
          post: toUuid(post),
          // Both values named: the index then serves them merged in order, as it serves one.
          value: value ?? { $in: values },
          ...(after !== undefined && { order: { $lt: toUuid(after) } }),
        })
        .sort({ order: -1 })
        .limit(limit + 1)
        .toArray()
      return found.map((reaction) => {
        const order = reaction.order.toString()
        return { account: reaction.account.toString(), value: reaction.value, reactedAt: timeOf(order), order }
      })
    },

    /** An account's reactions to some posts. */
    async valuesOf(account: string, ids: readonly string[]): Promise<Map<string, ReactionValue>> {
      const found = await reactions
        .find({ _id: { $in: ids.map((post) => keyOf(post, account)) } }, { projection: { post: 1, value: 1 } })
        .toArray()
      return new Map(found.map(({ post, value }) => [post.toString(), value]))
    },

    /** Removes up to 500 reactions to a post that is gone; the answer is how many it found. */
    async removeSome(post: UUID): Promise<number> {
      const some = await reactions
        .find({ post }, { projection: { _id: 1 } })
        .limit(500)
        .toArray()
      if (some.length > 0) await reactions.deleteMany({ _id: { $in: some.map(({ _id }) => _id) } })
      return some.length
    },
  }
}

export type ReactionStore = ReturnType<typeof reactionStore>
