import type { ClientSession, Db, UUID } from 'mongodb'
import { singleBatch } from '../database/single-batch.ts'
import { activityIn } from './model.ts'
import type { ActivityEvent } from './schema.ts'

/** Of each event: what an attacker can repeat must not evict what the owner needs to see. */
export const maxItems = 200

export async function trimActivity(
  db: Db,
  accounts: readonly UUID[],
  event: ActivityEvent,
  session: ClientSession,
): Promise<void> {
  const excess = await activityIn(db)
    .aggregate<{ _id: UUID; newest: UUID }>(
      [
        { $match: { account: { $in: [...accounts] }, event } },
        { $sort: { account: 1, _id: -1 } },
        { $group: { _id: '$account', ids: { $push: '$_id' } } },
        { $project: { newest: { $arrayElemAt: ['$ids', maxItems] } } },
        { $match: { newest: { $exists: true } } },
      ],
      { session, ...singleBatch(accounts.length) },
    )
    .toArray()
  if (excess.length === 0) return
  const deletions = excess.map(({ _id: account, newest }) => ({
    deleteMany: { filter: { account, event, _id: { $lte: newest } } },
  }))
  await activityIn(db).bulkWrite(deletions, { session, ordered: false })
}
