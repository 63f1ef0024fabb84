import type { Collection, Db } from 'mongodb'
import { addToDays } from '../analytics/daily-counts.ts'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Inside } from '../writer/fence.ts'
import type { WriteBatch } from '../writer/group-commit.ts'
import type { ReactionDocument } from './model.ts'

/** A wish to remove some of the reactions to a post that is gone. */
export type SweepWish = { post: string }

/** In one batch, for one post. */
const mostSwept = 200

/** Removes up to 200 reactions of each post, which must be gone; the answer is how many it removed. */
export function sweepReactions(db: Db, { writer }: Inside): WriteBatch<SweepWish, number> {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')

  return async (wishes, session) => {
    const answers: number[] = []
    for (const { post } of wishes) {
      const some = await reactions
        .find({ post: toUuid(post) }, { session, ...inOneAnswer(mostSwept) })
        .limit(mostSwept)
        .toArray()
      if (some.length > 0) await reactions.deleteMany({ _id: { $in: some.map(({ _id }) => _id) } }, { session })
      const changes = some.map(({ value, order }) => ({ value, order: order.toString(), gain: -1 as const }))
      await addToDays(db, session, writer, changes)
      answers.push(some.length)
    }
    return answers
  }
}
