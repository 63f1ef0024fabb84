import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { FailedLogins } from '../activity/failed-logins.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { PasswordService } from '../credentials/password-service.ts'
import type { Credential, CredentialStore } from '../credentials/store.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { isServerFault } from '../http/problems.ts'
import { releaseSoon } from '../limits/release.ts'
import { whileQueued } from '../limits/while-queued.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { requireViewer } from './auth-hooks.ts'
import { endSession } from './end.ts'
import { invalidCredentials } from './log-in.ts'
import type { SessionStore } from './store.ts'

type Context = {
  activity: Pick<ActivityStore, 'record'>
  credentials: Pick<CredentialStore, 'find'>
  failedLogins: FailedLogins
  passwords: Pick<PasswordService, 'verify'>
  securityLog: SecurityLog
  sessions: Pick<SessionStore, 'end' | 'releaseAttempt' | 'reserveAttempt'>
  transact: Transact
}

/**
 * The tenth wrong password ends the session: an attacker may have found the browser open.
 * @param work - gets the verified credential, and ends the session or resets its failures
 * @throws Problem `invalid-credentials`, `overloaded`
 */
export async function reauthenticate<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  password: string,
  { activity, credentials, failedLogins, passwords, securityLog, sessions, transact }: Context,
  work: (credential: Credential) => Promise<T>,
): Promise<T> {
  const viewer = requireViewer(request)
  const credential = await credentials.find(viewer.account)
  const attempt = await sessions.reserveAttempt(viewer)
  if (attempt.outcome === 'exhausted') throw invalidCredentials()
  const isLast = attempt.remaining === 0
  let isRight = false
  try {
    const { matches } = await whileQueued(
      request,
      reply,
      (ticket) => passwords.verify(password, viewer.account, credential, ticket),
      viewer.account,
    )
    isRight = matches
    if (matches && credential) return await work(credential)
    securityLog.record('authn_confirm_fail', { request })
    await failedLogins.record(viewer.account, request.client, 'confirm-failed')
    if (isLast) await end()
  } catch (error) {
    if (isRight || isServerFault(error)) await releaseSoon(() => sessions.releaseAttempt(viewer), request.log)
    // A client that hangs up has used its attempt all the same.
    else if (isLast) await end()
    throw error
  }
  throw invalidCredentials()

  async function end(): Promise<void> {
    const { client } = request
    const revoke = (transaction: ClientSession) =>
      endSession(viewer, 'session-revoked', client, { activity, sessions }, transaction)
    await withWriteDeadline(request, (deadline) => transact(revoke, deadline))
    securityLog.record('session_expired', { request, detail: { reason: 'wrong-passwords' } })
  }
}
