import type { ClientSession } from 'mongodb'
import { unauthenticated } from '../http/problems.ts'
import type { Viewer } from './access-token.ts'
import { confirmationRequired } from './auth-hooks.ts'
import type { SessionStore } from './store.ts'

/**
 * Asserts at the commit what `requireConfirmation` has found at the beginning of the request: a session that has ended since
 * decides nothing any more, nor does one whose confirmation an enrolment has ended. A thief's would lock the owner out.
 * @throws Problem `unauthenticated`, `confirmation-required`
 */
export async function assertConfirmed(
  viewer: Viewer,
  sessions: Pick<SessionStore, 'isConfirmed' | 'touch'>,
  transaction: ClientSession,
): Promise<void> {
  const { outcome } = await sessions.touch(viewer, transaction)
  if (outcome === 'not-found') throw unauthenticated()
  if (!(await sessions.isConfirmed(viewer, transaction))) throw confirmationRequired()
}
