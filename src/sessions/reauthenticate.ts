import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { FailedLogins } from '../activity/failed-logins.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { PasswordService } from '../credentials/password-service.ts'
import type { Credential, CredentialStore } from '../credentials/store.ts'
import { inSessionTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { isServerFault, Problem } from '../http/problems.ts'
import type { Ticket } from '../limits/fair-queue.ts'
import { type Limit, rateLimited } from '../limits/headers.ts'
import { releaseSoon } from '../limits/release.ts'
import { whileQueued } from '../limits/while-queued.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { requireViewer } from './auth-hooks.ts'
import { invalidCredentials } from './begin-session.ts'
import { endSession } from './end.ts'
import { maxCheckSeconds } from './model.ts'
import type { SessionStore } from './store.ts'

export type ProofContext = {
  activity: Pick<ActivityStore, 'record'>
  failedLogins: FailedLogins
  mutex: KeyedMutex
  securityLog: SecurityLog
  sessions: Pick<SessionStore, 'end' | 'failAttempt' | 'releaseAttempt' | 'reserveAttempt'>
  transact: Transact
}

type Context = ProofContext & {
  credentials: Pick<CredentialStore, 'find'>
  passwords: Pick<PasswordService, 'verify'>
}

const limit: Limit = {
  name: 'passwords-by-session',
  description: 'passwords of a session at once',
  quota: 10,
  windowSeconds: maxCheckSeconds,
  detail: 'Ten passwords of this session are being checked, which can end it: try again shortly.',
}

/** Nothing wrong was given: something is missing, or was not checked. */
const isUndecided = (error: unknown) =>
  error instanceof Problem && (error.code === 'second-factor-required' || error.code === 'rate-limited')

/**
 * The tenth wrong password ends the session: an attacker may have found the browser open.
 * @param work - gets the verified credential, and ends the session or resets its failures
 * @param checkMore - what must be right beside the password: it throws `invalid-credentials` for what is wrong
 * @throws Problem `invalid-credentials`, `rate-limited`, `overloaded`
 */
export async function reauthenticate<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  password: string,
  context: Context,
  work: (credential: Credential) => Promise<T>,
  checkMore: () => Promise<void> = async () => {},
): Promise<T> {
  const { account } = requireViewer(request)
  const credential = await context.credentials.find(account)
  const check = (ticket: Ticket) => context.passwords.verify(password, account, credential, ticket)
  const prove = async () => {
    const { matches } = await whileQueued(request, reply, check, account)
    if (!matches || !credential) return undefined
    await checkMore()
    return credential
  }
  return reauthenticateBy(request, prove, context, work)
}

/**
 * As above, with another proof than the password.
 * @param prove - resolves to undefined for a wrong proof, which counts as a wrong password
 */
export async function reauthenticateBy<Proof, T>(
  request: FastifyRequest,
  prove: () => Promise<Proof | undefined>,
  { activity, failedLogins, mutex, securityLog, sessions, transact }: ProofContext,
  work: (proof: Proof) => Promise<T>,
): Promise<T> {
  const viewer = requireViewer(request)
  // The account's transactions write the session, too: MongoDB would try each of these again until they have ended.
  const alone = <Result>(update: () => Promise<Result>) => inSessionTurn(mutex, viewer, update)
  const attempt = await alone(() => sessions.reserveAttempt(viewer))
  if (attempt.outcome === 'busy') throw rateLimited(limit, 1)
  // Its end was not committed, or the processes that checked the last passwords have exited.
  if (attempt.outcome === 'exhausted') await end()
  if (attempt.outcome !== 'reserved') throw invalidCredentials()
  const { id } = attempt
  const verified = await verify()
  if (verified) return work(verified)
  const failed = await alone(() => sessions.failAttempt(viewer, id))
  securityLog.record('authn_confirm_fail', { request })
  await failedLogins.record(viewer.account, request.client, 'confirm-failed')
  if (failed.outcome === 'exhausted') await end()
  throw invalidCredentials()

  /** The attempt is over when its proof has been checked, however long the work takes. */
  async function verify(): Promise<Proof | undefined> {
    let proof: Proof | undefined
    try {
      proof = await prove()
    } catch (error) {
      if (isServerFault(error) || isUndecided(error)) await release()
      // A client that hangs up has used its attempt all the same.
      else if ((await alone(() => sessions.failAttempt(viewer, id))).outcome === 'exhausted') await end()
      throw error
    }
    if (proof) await release()
    return proof
  }

  function release(): Promise<void> {
    return releaseSoon(() => alone(() => sessions.releaseAttempt(viewer, id)), request.log)
  }

  async function end(): Promise<void> {
    const { client } = request
    const revoke = (transaction: ClientSession) =>
      endSession(viewer, 'session-revoked', client, { activity, sessions }, transaction)
    await withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(revoke, deadline)))
    securityLog.record('session_expired', { request, detail: { reason: 'wrong-passwords' } })
  }
}
