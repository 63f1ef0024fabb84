import type { MongoClient } from 'mongodb'
import { activityStore } from '../activity/store.ts'
import { assertPeppersConfigured } from '../credentials/check-peppers.ts'
import { type Hashing, hashPassword } from '../credentials/hashing.ts'
import { digestOf, newOneTimePassword } from '../credentials/one-time-password.ts'
import { credentialStore } from '../credentials/store.ts'
import { transactor } from '../database/transaction.ts'
import { accountCounters } from '../limits/account-counters.ts'
import { throttleKey } from '../limits/throttle-key.ts'
import { emailStore } from '../mail/emails.ts'
import { type Notices, noNotices } from '../mail/notices.ts'
import { deviceStore } from '../sessions/devices.ts'
import { revocationCache } from '../sessions/revocation-cache.ts'
import { sessionStore } from '../sessions/store.ts'
import { accountStore } from './store.ts'

const validForMs = 86_400_000

const operator = { ip: '', userAgent: 'npm run accounts' }

export type ResetResult =
  | { outcome: 'reset'; account: string; password: string; until: Date; sessionsEnded: number }
  | { outcome: 'not-found' }

/**
 * Known devices stay known, and failed logins are forgotten: an attacker who goes on must not lock the owner out. No device
 * stays trusted: a one-time password is no second factor.
 * @param givenThrottleKey - THROTTLE_KEY
 * @throws StartError when passwords in the database use a pepper that is not configured
 */
export async function resetPassword(
  client: MongoClient,
  database: string,
  username: string,
  hashing: Hashing,
  givenThrottleKey?: string,
  notices: Notices = noNotices,
): Promise<ResetResult> {
  const db = client.db(database)
  await assertPeppersConfigured(db, hashing.peppers)
  const transact = transactor(client)
  const sessions = sessionStore(db, revocationCache(db))
  const account = await accountStore(db, transact).idOf(username)
  if (account === undefined) return { outcome: 'not-found' }
  const password = newOneTimePassword()
  const hashed = await hashPassword(password, account, hashing)
  const until = new Date(Date.now() + validForMs)
  const digest = digestOf(account, password)
  const ended = await transact(async (transaction) => {
    const sessionsEnded = await sessions.endAll(account, transaction)
    const { outcome } = await credentialStore(db).reset(account, hashed, { until, digest }, transaction)
    if (outcome === 'not-found') return { outcome }
    await deviceStore(db).endTrust(account, transaction)
    await emailStore(db).dropPending(account, transaction)
    await activityStore(db, notices).record(account, 'password-changed', operator, transaction)
    return sessionsEnded
  })
  if (ended.outcome === 'not-found') return ended
  await accountCounters(db, { id: account, username }, await throttleKey(db, givenThrottleKey)).clear()
  return { outcome: 'reset', account, password, until, sessionsEnded: ended.count }
}
