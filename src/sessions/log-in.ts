import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { z } from 'zod'
import type { Account, AccountStore } from '../accounts/store.ts'
import type { FailedLogins } from '../activity/failed-logins.ts'
import type { ActivityStore } from '../activity/store.ts'
import { isLiveOneTimePassword, looksOneTime } from '../credentials/one-time-password.ts'
import type { PasswordService } from '../credentials/password-service.ts'
import { type CredentialStore, isSpent, isSuspended } from '../credentials/store.ts'
import { isAnswered, withDatabaseDeadline } from '../http/deadline.ts'
import { databaseUnavailable, isServerFault, Problem } from '../http/problems.ts'
import { clientTurn } from '../limits/client-turn.ts'
import { limitWindowSeconds } from '../limits/headers.ts'
import type { Attempt } from '../limits/login-counters.ts'
import type { AcquiredAttempt, LoginThrottle } from '../limits/login-throttle.ts'
import { releaseSoon } from '../limits/release.ts'
import type { SuccessfulLogins } from '../limits/successful-logins.ts'
import { whileQueued } from '../limits/while-queued.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { secondFactorRequired } from '../second-factor/prove.ts'
import type { SecondFactorStore } from '../second-factor/store.ts'
import { type BeginContext, type BegunSession, beginSession, invalidCredentials } from './begin-session.ts'
import type { Challenge, ChallengeStore } from './challenges.ts'
import { type DeviceStore, isKnownFor } from './devices.ts'
import { carriedSessions } from './presented.ts'
import type { LoginBody } from './schema.ts'
import type { SessionStore } from './store.ts'

export type LoginContext = BeginContext & {
  accounts: Pick<AccountStore, 'find' | 'idOf'>
  activity: Pick<ActivityStore, 'hasRoom' | 'record'>
  challenges: ChallengeStore
  credentials: Pick<CredentialStore, 'find' | 'recordLogin' | 'rehash' | 'touch'>
  devices: Pick<DeviceStore, 'find' | 'hasRoom' | 'isTrusted' | 'remember'>
  failedLogins: FailedLogins
  loginThrottle: LoginThrottle
  successfulLogins: SuccessfulLogins
  passwords: Pick<PasswordService, 'assertRoom' | 'verify'>
  secondFactors: Pick<SecondFactorStore, 'isEnrolled'>
  securityLog: SecurityLog
  sessions: SessionStore
}

/** What a password has proven until the second step: of which account, and that it was the present one. */
export type FirstStep = { account: string; version: number }

function setChallenge(
  reply: FastifyReply,
  { account, version }: FirstStep,
  { challenges, cookies }: Pick<LoginContext, 'challenges' | 'cookies'>,
): void {
  const { token } = challenges.issue('second-factor', `${account}:${version}`)
  cookies.setChallenge(reply, 'second-factor', token)
}

export function firstStepOf({ subject }: Challenge): FirstStep {
  const [account = '', version] = subject.split(':')
  return { account, version: Number(version) }
}

export const isInvalidCredentials = (error: unknown) => error instanceof Problem && error.code === 'invalid-credentials'

/** What a login reads before its password is checked: with one message, or two if a device must be looked up first. */
async function readBefore(request: FastifyRequest, claim: Omit<Attempt, 'device'>, context: LoginContext) {
  const { activity, cookies, credentials, devices, loginThrottle, sessions, successfulLogins } = context
  const { account } = claim
  const presented = cookies.device(request)
  const readAttempt = async () => {
    const known = presented.length === 0 ? undefined : await devices.find(account, presented)
    const attempt: Attempt = { ...claim, device: known?.subject }
    const isDeviceOld = known !== undefined && isKnownFor(known, limitWindowSeconds * 1_000)
    const login = { ...attempt, isDeviceOld }
    const checks = await Promise.allSettled([loginThrottle.check(attempt), successfulLogins.check(login)])
    return { known, attempt, login, refused: checks.find((check) => check.status === 'rejected') }
  }
  // The credential first: the room must not be older than its revision.
  const [credential, activityRoom, deviceRoom, sessionRoom, read] = await Promise.all([
    credentials.find(account),
    activity.hasRoom(account, 'login'),
    devices.hasRoom(account),
    sessions.hasRoom(account),
    readAttempt(),
  ])
  const room = credential && {
    revision: credential.revision,
    activity: activityRoom,
    device: deviceRoom,
    session: sessionRoom,
  }
  return { ...read, credential, room }
}

/**
 * An attempt counts against the limits from just before its hash is computed: those in the queue must block no other.
 * @throws Problem `invalid-credentials`, `second-factor-required`, `rate-limited`, `overloaded`
 */
export async function logIn(
  request: FastifyRequest,
  reply: FastifyReply,
  { username, password }: z.infer<typeof LoginBody>,
  context: LoginContext,
): Promise<{ issued: BegunSession; own: Account | undefined }> {
  const { accounts, cookies, credentials, devices, failedLogins, loginThrottle } = context
  const { passwords, secondFactors, securityLog, successfulLogins } = context
  const { client } = request
  const presented = cookies.device(request)
  if (presented.length === 0) {
    // Before any query, so that refusing a flood costs little. A device, or a one-time password, must be looked up.
    if (!looksOneTime(password)) loginThrottle.recall({ username, ip: client.ip })
    passwords.assertRoom(clientTurn(client.ip))
  }
  // An unknown name costs what a known one does, step by step: its stand-in id belongs to no account.
  const claimed = await accounts.idOf(username)
  request.claimedIdentity = { account: claimed, username }
  const account = claimed ?? loginThrottle.standInId(username)
  const claim = { username, account, isStandIn: claimed === undefined, ip: client.ip }
  const { attempt, credential, known, login, refused, room } = await readBefore(request, claim, context)
  // By nothing that others can cause: the operator issued it because the owner is locked out.
  const isLimited = !isLiveOneTimePassword(account, credential, password)
  if (isLimited && refused) throw refused.reason
  const carried = await carriedSessions(request, cookies, context.sessions)

  const nothing = async () => {}
  let acquired: AcquiredAttempt = { release: nothing, succeed: () => loginThrottle.clear(attempt) }
  let release = nothing
  const acquire = async () => {
    if (!isLimited) return
    acquired = await withDatabaseDeadline(request, reply, () => loginThrottle.acquire(attempt))
    release = acquired.release
    if (isAnswered(request, reply)) throw databaseUnavailable(new Error('the database was too slow'))
  }
  try {
    const { matches, rehashed } = await whileQueued(
      request,
      reply,
      (ticket) => passwords.verify(password, account, credential, ticket, acquire),
      known && account,
    )
    if (credential === undefined || !matches || isSpent(credential) || isSuspended(credential))
      throw invalidCredentials()
    const [own, isEnrolled] = await Promise.all([accounts.find(account), secondFactors.isEnrolled(account)])
    const needsFactor = isEnrolled && !(await devices.isTrusted(account, presented))
    // Before the transaction: while a correct password waits for its session, it must not count as a failure.
    const released = releaseSoon(needsFactor ? acquired.release : acquired.succeed, request.log)
    // If the rest fails, what is released must not be released again.
    release = nothing
    const counted = isLimited ? successfulLogins.acquire(login) : Promise.resolve(nothing)
    await Promise.allSettled([released, counted])
    release = await counted
    const requireCode = () => {
      setChallenge(reply, { account, version: credential.version }, context)
      securityLog.record('authn_second_factor_required', { request })
      return secondFactorRequired('Give it within 5 minutes: POST /v1/session/second-factor.')
    }
    if (needsFactor) {
      // The second step has no password to hash.
      if (rehashed) await credentials.rehash(account, credential.version, rehashed)
      throw requireCode()
    }
    // The owner may have forgotten the device since, or ended all trust. The login writes the device, so that both conflict.
    const useUp = async (transaction: ClientSession) => {
      if (isEnrolled && !(await devices.isTrusted(account, presented, transaction))) throw requireCode()
    }
    const proven = { account, credential, carried, known, room, rehashed, useUp }
    const issued = await beginSession(request, proven, context)
    securityLog.record('authn_login_success', { request })
    return { issued, own }
  } catch (thrown) {
    let error = thrown
    if (isInvalidCredentials(thrown) && !isAnswered(request, reply)) {
      securityLog.record('authn_login_fail', { request })
      await failedLogins.record(account, client).catch((failure) => {
        error = failure
      })
    }
    // A login that was answered 503 does not count as a failure.
    if (isServerFault(error) || isAnswered(request, reply)) await releaseSoon(release, request.log)
    throw error
  }
}
