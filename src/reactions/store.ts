import type { Collection, Db, UUID } from 'mongodb'
import { coalesce } from '../database/coalesced-reads.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/queries.ts'
import type { Position } from '../http/pages.ts'
import type { Writer } from '../writer/kinds.ts'
import { pairName, type ReactionDocument, reactionKey } from './document.ts'
import type { Reacted } from './react.ts'
import type { ReactionValue } from './schema.ts'

export type Reaction = { account: string; value: ReactionValue; reactedAt: Date; order: string }

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

  return {
    /** Sets, moves or (null) withdraws an account's reaction; null when there is no such post. */
    react: (post: string, account: string, value: ReactionValue | null): Promise<Reacted | null> =>
      writer.react({ post, account, value, order: newId() }),

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

    /** An account's reaction to a post. */
    valueOf: (post: string, account: string): Promise<ReactionValue | undefined> => find(pairName(post, account)),

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
