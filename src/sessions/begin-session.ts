import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { AccountStore } from '../accounts/store.ts'
import type { StoredPassword } from '../credentials/hashing.ts'
import type { Credential, CredentialStore } from '../credentials/store.ts'
import { type KeyedMutex, withAllKeys } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { Problem } from '../http/problems.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import type { SessionOwner } from './access-token.ts'
import { viewLoggedIn } from './current-session.ts'
import { logLogouts } from './end.ts'
import { type IssueContext, issueSession, setSessionCookies } from './issue.ts'
import type { IssuedSession } from './store.ts'

export type BeginContext = IssueContext & {
  accounts: Pick<AccountStore, 'find'>
  credentials: Pick<CredentialStore, 'recordLogin'>
  mutex: KeyedMutex
  securityLog: SecurityLog
  transact: Transact
}

export type BegunSession = IssuedSession & { device: string }

/** What a client has proven that logs it in. */
export type ProvenLogin = {
  account: string
  /** As it was when it was verified; `oneTime` only if that password was. */
  credential: Pick<Credential, 'version' | 'oneTime'>
  /** The sessions that the request carries: they end. */
  carried: readonly SessionOwner[]
  /** The password's new hash, if its old one is outdated. */
  rehashed?: StoredPassword | undefined
  /** The owner wants this browser to log in without a second factor. */
  trustDevice?: boolean | undefined
  /** Writes what serves only once, such as a code. Throws if it has served. */
  useUp?: (transaction: ClientSession) => Promise<void>
}

export const invalidCredentials = () => new Problem('invalid-credentials', 'The username or password is wrong.')

/** @throws Problem `invalid-credentials` if the credential has changed since, or the account is suspended */
export async function beginSession(
  request: FastifyRequest,
  { account, credential, carried, rehashed, trustDevice, useUp }: ProvenLogin,
  context: BeginContext,
): Promise<BegunSession> {
  const { activity, credentials, mutex, securityLog, transact } = context
  const begin = async (transaction: ClientSession) => {
    const login = { at: new Date(), rehashed }
    const { outcome } = await credentials.recordLogin(account, credential, login, transaction)
    if (outcome === 'changed') throw invalidCredentials()
    await useUp?.(transaction)
    const passwordChangeRequired = credential.oneTime !== undefined
    const session = { account, carried, passwordChangeRequired, trustDevice }
    const issued = await issueSession(request, session, context, transaction)
    const options = { isExpected: issued.isKnownDevice }
    await activity.record(account, 'login', request.client, transaction, options)
    return issued
  }
  // All logins of an account write its credential; the others are logged out.
  const accounts = [account, ...carried.map((owner) => owner.account)]
  const issued = await withWriteDeadline(request, (deadline) =>
    withAllKeys(mutex, accounts, () => transact(begin, deadline)),
  )
  logLogouts(request, issued.ended, securityLog, account)
  return issued
}

export async function answerLoggedIn(
  request: FastifyRequest,
  reply: FastifyReply,
  issued: BegunSession,
  context: Pick<BeginContext, 'accounts' | 'cookies'>,
) {
  // Before the cookies: a response that fails must not log in.
  const view = await viewLoggedIn(context, issued.session)
  setSessionCookies(request, reply, context.cookies, issued)
  context.cookies.setDevice(reply, issued.device)
  return view
}
