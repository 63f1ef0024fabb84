import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { Account, AccountStore } from '../accounts/store.ts'
import type { StoredPassword } from '../credentials/hashing.ts'
import type { Credential, CredentialStore } from '../credentials/store.ts'
import type { KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { Problem } from '../http/problems.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import type { SessionOwner } from './access-token.ts'
import { viewBoth, viewLoggedIn } from './current-session.ts'
import type { KnownDevice } from './devices.ts'
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

/** Of what an account has room for one more, so that its next login need make none. */
export type Room = { activity: boolean; device: boolean; session: boolean }

/** What a client has proven that logs it in. */
export type ProvenLogin = {
  account: string
  /** As it was when it was verified; `oneTime` only if that password was. */
  credential: Pick<Credential, 'version' | 'oneTime'>
  /** The sessions that the request carries: they end. */
  carried: readonly SessionOwner[]
  /** The device, if it has been found already. */
  known?: KnownDevice | undefined
  /** As it was at this revision of the credential, or later: each login raises it. */
  room?: (Room & { revision: number }) | undefined
  /** The password's new hash, if its old one is outdated. */
  rehashed?: StoredPassword | undefined
  /** The owner wants this browser to log in without a second factor. */
  trustDevice?: boolean | undefined
  /** Writes what serves only once, such as a code, or checks what must still hold. Throws if it has served, or does not. */
  useUp?: (transaction: ClientSession) => Promise<void>
}

export const invalidCredentials = () => new Problem('invalid-credentials', 'The username or password is wrong.')

/** @throws Problem `invalid-credentials` if the credential has changed since, or the account is suspended */
export async function beginSession(
  request: FastifyRequest,
  { account, credential, carried, known, room, rehashed, trustDevice, useUp }: ProvenLogin,
  context: BeginContext,
): Promise<BegunSession> {
  const { activity, credentials, mutex, securityLog, transact } = context
  const begin = async (transaction: ClientSession) => {
    const login = { at: new Date(), rehashed }
    const recorded = await credentials.recordLogin(account, credential, login, transaction)
    if (recorded.outcome === 'changed') throw invalidCredentials()
    await useUp?.(transaction)
    const hasRoom = room?.revision === recorded.revision ? room : undefined
    const passwordChangeRequired = credential.oneTime !== undefined
    const session = { account, carried, passwordChangeRequired, trustDevice, known, hasRoom }
    const issued = await issueSession(request, session, context, transaction)
    const options = { isExpected: issued.isKnownDevice, hasRoom: hasRoom?.activity ?? false }
    await activity.record(account, 'login', request.client, transaction, options)
    return issued
  }
  // All logins of an account write its credential. The accounts that are logged out are not locked: a login that waits for
  // its own account would hold up their changes.
  const issued = await withWriteDeadline(request, (deadline) => mutex(account, () => transact(begin, deadline)))
  logLogouts(request, issued.ended, securityLog, account)
  return issued
}

/** @param own - the account, if this request has read it already */
export async function answerLoggedIn(
  request: FastifyRequest,
  reply: FastifyReply,
  issued: BegunSession,
  context: Pick<BeginContext, 'accounts' | 'cookies'>,
  own?: Account,
) {
  // Before the cookies: a response that fails must not log in.
  const view = own ? viewBoth(own, issued.session) : await viewLoggedIn(context, issued.session)
  setSessionCookies(request, reply, context.cookies, issued)
  context.cookies.setDevice(reply, issued.device)
  return view
}
