import type { Collection, Db, Filter, UUID } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { boundedTime } from '../database/max-time.ts'
import { batchRead } from '../database/turn-reads.ts'
import type { Position } from '../http/pages.ts'
import type { Submitted } from '../writer/operation.ts'
import { idHint, keysFilter, listIndexes, pairName, type ReactionDocument, reactionKey } from './model.ts'
import type { ReactResult, react } from './react.ts'
import type { SweepReactionsResult, sweepReactions } from './sweep.ts'
import type { ReactionValue } from './value.ts'

export type Reaction = { post: string; account: string; value: ReactionValue; reactedAt: Date; order: string }

const values: ReactionValue[] = ['like', 'dislike']

export type ReactionWriter = {
  react: Submitted<typeof react>
  sweepReactions: Submitted<typeof sweepReactions>
}

export function reactionStore(db: Db, writer: ReactionWriter) {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')

  const find = batchRead<ReactionDocument, ReactionValue>(db, {
    collection: 'reactions',
    filter: (names) =>
      keysFilter(
        names.map((name) => {
          const [post = '', account = ''] = name.split(' ')
          return reactionKey(post, account)
        }),
      ),
    hint: idHint,
    toEntry: ({ post, account, value }) => [pairName(post.toString(), account.toString()), value],
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
          // Naming both values lets the index merge them in order.
          value: value ?? { $in: values },
          ...(after !== undefined && { order: { $lt: toUuid(after) } }),
        },
        { hint, ...boundedTime },
      )
      .sort({ order: -1 })
      .limit(limit + 1)
      .toArray()
    return found.map(({ post, account, value, order: orderKey }) => {
      const order = orderKey.toString()
      return { post: post.toString(), account: account.toString(), value, reactedAt: timeOf(order), order }
    })
  }

  return {
    react: (post: string, account: string, value: ReactionValue | null, deadline?: number): Promise<ReactResult> =>
      writer.react({ post, account, value, order: newId() }, deadline),

    listOfPost: (post: string, position: Position, value?: ReactionValue) =>
      page({ post: toUuid(post) }, listIndexes.ofPost, value, position),

    listByAccount: (account: string, position: Position, value?: ReactionValue) =>
      page({ account: toUuid(account) }, listIndexes.byAccount, value, position),

    valueOf: (post: string, account: string): Promise<ReactionValue | undefined> => find(pairName(post, account)),

    async postsWithReactions(posts: readonly UUID[]): Promise<string[]> {
      const found = await reactions.distinct('post', { post: { $in: [...posts] } })
      return found.map((post) => post.toString())
    },

    sweep: (post: string): Promise<SweepReactionsResult> => writer.sweepReactions({ post }),
  }
}

export type ReactionStore = ReturnType<typeof reactionStore>
