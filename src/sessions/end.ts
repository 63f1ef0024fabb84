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

/** Ends what a request carried. @returns the account of each that was live */
export async function endCarried(
  carried: readonly SessionOwner[],
  sessions: Pick<SessionStore, 'end'>,
  transaction: ClientSession,
): Promise<string[]> {
  const accounts: string[] = []
  for (const owner of carried) {
    const { outcome } = await sessions.end(owner, transaction)
    if (outcome === 'ended') accounts.push(owner.account)
  }
  return accounts
}
