import type { ClientSession } from 'mongodb'
import type { ActivityEvent } from '../activity/schema.ts'
import type { Parts } from '../context.ts'
import type { Client } from '../http/client-info.ts'
import type { Viewer } from './access-token.ts'

/** Ends a session and writes down why, where its owner reads it; false when it has already ended. */
export async function endSession(
  viewer: Viewer,
  event: Exclude<ActivityEvent, 'login-failed'>,
  client: Client,
  { activity, sessions }: Pick<Parts, 'activity' | 'sessions'>,
  transaction: ClientSession,
): Promise<boolean> {
  if (!(await sessions.end(viewer, transaction))) return false
  await activity.record(viewer.account, event, client, transaction)
  return true
}
