import type { ClientSession } from 'mongodb'
import type { TransactedEvent } from '../activity/schema.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { ClientInfo } from '../http/client-info.ts'
import type { SessionOwner } from './access-token.ts'
import type { EndResult, SessionStore } from './store.ts'

export async function endSession(
  viewer: SessionOwner,
  event: TransactedEvent,
  client: ClientInfo,
  { activity, sessions }: { activity: Pick<ActivityStore, 'record'>; sessions: Pick<SessionStore, 'end'> },
  transaction: ClientSession,
): Promise<EndResult> {
  const result = await sessions.end(viewer, transaction)
  if (result.outcome === 'ended') await activity.record(viewer.account, event, client, transaction)
  return result
}
