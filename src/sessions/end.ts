import type { ClientSession } from 'mongodb'
import type { TransactedEvent } from '../activity/schema.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { ClientInfo } from '../http/client-info.ts'
import type { SessionOwner } from './access-token.ts'
import type { Presented } from './presented.ts'
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

/** Ends every session that cookies name. @returns the account of each that was live */
export async function endPresented(
  { viewers, refreshTokens }: Presented,
  sessions: Pick<SessionStore, 'end' | 'endByToken'>,
  transaction: ClientSession,
): Promise<string[]> {
  const accounts: string[] = []
  for (const viewer of viewers) {
    const { outcome } = await sessions.end(viewer, transaction)
    if (outcome === 'ended') accounts.push(viewer.account)
  }
  // Usually of the same session, which has ended by now.
  for (const token of refreshTokens) {
    const result = await sessions.endByToken(token, transaction)
    if (result.outcome === 'ended') accounts.push(result.account)
  }
  return accounts
}
