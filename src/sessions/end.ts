import type { FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { TransactedEvent } from '../activity/schema.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { ClientInfo } from '../http/client-info.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import type { SessionOwner } from './access-token.ts'
import type { EndResult, SessionStore } from './store.ts'

export type EndContext = { activity: Pick<ActivityStore, 'record'>; sessions: Pick<SessionStore, 'end'> }

export async function endSession(
  viewer: SessionOwner,
  event: TransactedEvent,
  client: ClientInfo,
  { activity, sessions }: EndContext,
  transaction: ClientSession,
): Promise<EndResult> {
  const result = await sessions.end(viewer, transaction)
  if (result.outcome === 'ended') await activity.record(viewer.account, event, client, transaction)
  return result
}

/**
 * Ends what a request carried, which logs each account out but the one that it logs in to, if any.
 * @returns the sessions that were live
 */
export async function endCarried(
  carried: readonly SessionOwner[],
  client: ClientInfo,
  { activity, sessions }: EndContext,
  transaction: ClientSession,
  loggedIn?: string,
): Promise<SessionOwner[]> {
  const ended: SessionOwner[] = []
  for (const owner of carried) {
    const { outcome } = await sessions.end(owner, transaction)
    if (outcome === 'ended') ended.push(owner)
  }
  for (const account of loggedOut(ended, loggedIn)) await activity.record(account, 'logout', client, transaction)
  return ended
}

/** After the transaction of {@link endCarried}. */
export function logLogouts(
  request: FastifyRequest,
  ended: readonly SessionOwner[],
  securityLog: SecurityLog,
  loggedIn?: string,
): void {
  for (const account of loggedOut(ended, loggedIn)) {
    securityLog.record('session_expired', { request, account, detail: { reason: 'logout' } })
  }
}

function loggedOut(ended: readonly SessionOwner[], loggedIn: string | undefined): Set<string> {
  const accounts = new Set(ended.map(({ account }) => account))
  if (loggedIn !== undefined) accounts.delete(loggedIn)
  return accounts
}
