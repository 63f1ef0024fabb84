import type { Collection, Db, Filter, UUID } from 'mongodb'
import { coalesce } from '../database/batch-loader.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Position } from '../http/pages.ts'
import type { Writer } from '../write-operations.ts'
import { listIndexes, pairName, type ReactionDocument, reactionKey } from './model.ts'
import type { Reacted } from './react.ts'
import type { ReactionValue } from './value.ts'

/** Somebody's reaction to something; `order` is its place in lists. */
export type Reaction = { post: string; account: string; value: ReactionValue; reactedAt: Date; order: string }

const values: ReactionValue[] = ['like', 'dislike']

/** Keeps reactions. */
export function reactionStore(db: Db, writer: Writer) {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')

  const find = coalesce<ReactionValue>(async (names) => {
    const keys = names.map((name) => {
      const [post = '', account = ''] = name.split(' ')
      return reactionKey(post, account)
    })
    const found = await reactions.find({ _id: { $in: keys } }, inOneAnswer(keys.length)).toArray()
    return new Map(found.map(({ post, account, value }) => [pairName(post.toString(), account.toString()), value]))
  })

  async function page(
    filter: Filter<ReactionDocument>,
    hint: (typeof listIndexes)[keyof typeof listIndexes],
    value: ReactionValue | undefined,
    { after, limit }: Position,
  ): Promise<Reaction[]> {
    const found = await reactions
      .find(
        {
          ...filter,
          // Both values named: the index then serves them merged in order, as it serves one.
          value: value ?? { $in: values },
          ...(after !== undefined && { order: { $lt: toUuid(after) } }),
        },
        { hint },
      )
      .sort({ order: -1 })
      .limit(limit + 1)
      .toArray()
    return found.map(({ post, account, value, order: place }) => {
      const order = place.toString()
      return { post: post.toString(), account: account.toString(), value, reactedAt: timeOf(order), order }
    })
  }

  return {
    /** Sets, moves or (null) withdraws an account's reaction; null when there is no such post. */
    react: (post: string, account: string, value: ReactionValue | null): Promise<Reacted | null> =>
      writer.react({ post, account, value, order: newId() }),

    /** Who reacted to a post, newest first. */
    listOfPost: (post: string, position: Position, value?: ReactionValue) =>
      page({ post: toUuid(post) }, listIndexes.ofPost, value, position),

    /** What an account reacted to, newest first. */
    listByAccount: (account: string, position: Position, value?: ReactionValue) =>
      page({ account: toUuid(account) }, listIndexes.byAccount, value, position),

    /** An account's reaction to a post. */
    valueOf: (post: string, account: string): Promise<ReactionValue | undefined> => find(pairName(post, account)),

    /** Which of these posts have reactions. */
    async postsWithSome(posts: readonly UUID[]): Promise<string[]> {
      const found = await reactions.distinct('post', { post: { $in: [...posts] } })
      return found.map((post) => post.toString())
    },

    /** Removes up to 200 reactions to a post that is gone; the answer is how many it removed. */
    sweep: (post: string): Promise<number> => writer.sweep({ post }),
  }
}

export type ReactionStore = ReturnType<typeof reactionStore>
