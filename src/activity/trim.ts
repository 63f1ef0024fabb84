import type { ClientSession, Db, UUID } from 'mongodb'
import { activityIn, loginFailed } from './model.ts'

// Separate limits: an attacker's failed logins must not evict the events that the owner needs to see.
const maxFailures = 200
const maxOtherItems = 800

/** Deletes an account's oldest items: failed logins beyond 200, or other items beyond 800. */
export async function trimActivity(
  db: Db,
  account: UUID,
  kind: 'failures' | 'others',
  session: ClientSession,
): Promise<void> {
  const isFailure = kind === 'failures'
  const own = { account, event: isFailure ? loginFailed : { $ne: loginFailed } }
  const [oldest] = await activityIn(db)
    .find(own, { session, projection: { _id: 1 } })
    .sort({ _id: -1 })
    .skip(isFailure ? maxFailures : maxOtherItems)
    .limit(1)
    .toArray()
  if (oldest) await activityIn(db).deleteMany({ ...own, _id: { $lte: oldest._id } }, { session })
}
