import type { ClientSession, Db, UUID } from 'mongodb'
import { singleBatch } from '../database/single-batch.ts'
import { activityIn, loginFailed } from './model.ts'

// Separate limits: an attacker's failed logins must not evict the events that the owner needs to see.
const maxFailures = 200
const maxOtherItems = 800

/** Deletes the oldest items of each of these accounts: failed logins beyond 200, or other items beyond 800. */
export async function trimActivity(
  db: Db,
  accounts: readonly UUID[],
  kind: 'failures' | 'others',
  session: ClientSession,
): Promise<void> {
  const isFailure = kind === 'failures'
  const event = isFailure ? loginFailed : { $ne: loginFailed }
  const excess = await activityIn(db)
    .aggregate<{ _id: UUID; newest: UUID }>(
      [
        { $match: { account: { $in: [...accounts] }, event } },
        { $sort: { account: 1, _id: -1 } },
        { $group: { _id: '$account', ids: { $push: '$_id' } } },
        { $project: { newest: { $arrayElemAt: ['$ids', isFailure ? maxFailures : maxOtherItems] } } },
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
