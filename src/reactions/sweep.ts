import type { Collection } from 'mongodb'
import { addDailyCounts } from '../analytics/daily-counts.ts'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import { idHint, keysFilter, type ReactionDocument } from './model.ts'

export type SweepReactionsCommand = { post: string }

export type SweepReactionsResult = { outcome: 'swept'; count: number }

export const sweepReactions: WriteOperation<SweepReactionsCommand, SweepReactionsResult> = {
  name: 'sweepReactions',
  key: ({ post }) => post,
  actor: () => null,
  apply: applySweep,
}

const maxSwept = 200

async function applySweep(
  { db, session, writer }: BatchContext,
  commands: readonly SweepReactionsCommand[],
): Promise<SweepReactionsResult[]> {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const results: SweepReactionsResult[] = []
  for (const { post } of commands) {
    const swept = await reactions
      .find({ post: toUuid(post) }, { session, ...singleBatch(maxSwept) })
      .limit(maxSwept)
      .toArray()
    if (swept.length > 0) await reactions.deleteMany(keysFilter(swept.map(({ _id }) => _id)), { session, hint: idHint })
    const changes = swept.map(({ value, order }) => ({ value, order: order.toString(), difference: -1 as const }))
    await addDailyCounts(db, session, writer, changes)
    results.push({ outcome: 'swept', count: swept.length })
  }
  return results
}
