import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { AccountStore } from '../accounts/store.ts'
import { type CredentialStore, isSuspended } from '../credentials/store.ts'
import { clientBuckets } from '../limits/client-buckets.ts'
import type { FailedCodes } from '../limits/failed-codes.ts'
import type { FixedWindow } from '../limits/fixed-window.ts'
import { type Limit, limitWindowSeconds } from '../limits/headers.ts'
import type { LoginThrottle } from '../limits/login-throttle.ts'
import { releaseSoon } from '../limits/release.ts'
import { type BeginContext, type BegunSession, beginSession } from '../sessions/begin-session.ts'
import { isInvalidCredentials } from '../sessions/log-in.ts'
import { carriedSessions } from '../sessions/presented.ts'
import {
  type AssertionContext,
  acceptAssertion,
  claimedAccount,
  passkeyRefused,
  withAssertion,
} from './authentication.ts'
import { loginCeremony, presentedChallenge } from './challenge.ts'
import { requireRelyingParty } from './relying-party.ts'
import type { PasskeyLoginBody } from './schema.ts'
import type { Assertion } from './store.ts'

type LoginBody = z.infer<typeof PasskeyLoginBody>

export type PasskeyLoginContext = AssertionContext &
  BeginContext & {
    accounts: Pick<AccountStore, 'find' | 'idOf'>
    credentials: Pick<CredentialStore, 'find' | 'recordLogin'>
    failedCodes: Pick<FailedCodes, 'clearRow'>
    fixedWindow: Pick<FixedWindow, 'acquire' | 'check'>
    limits: { loginsPerAccount: number; loginsPerAddress: number }
    loginThrottle: Pick<LoginThrottle, 'clear'>
  }

/**
 * No limit that others can use up refuses a passkey that is right: those of failures by address are asked for the wrong ones
 * alone, and only a login with a passkey of the account counts for the account.
 */
export function passkeyLogin(context: PasskeyLoginContext) {
  const {
    accounts,
    cookies,
    credentials,
    failedCodes,
    fixedWindow,
    limits,
    loginThrottle,
    passkeys,
    securityLog,
    sessions,
  } = context
  const description = 'failed logins with a passkey'
  const failures = clientBuckets({ name: 'passkey-failures', description, perAddress: limits.loginsPerAddress })
  const perAccount: Limit = {
    name: 'passkey-logins',
    description: 'logins with a passkey',
    quota: limits.loginsPerAccount,
    windowSeconds: limitWindowSeconds,
  }

  async function prove(request: FastifyRequest, { response, username }: LoginBody): Promise<Assertion | undefined> {
    const party = requireRelyingParty(request)
    const challenge = presentedChallenge(request, loginCeremony, response.response, context)
    if (!challenge) return undefined
    const claimed = claimedAccount(response)
    const [found, named] = await Promise.all([
      claimed === undefined ? undefined : passkeys.find(claimed, response.id),
      username === undefined ? claimed : accounts.idOf(username),
    ])
    request.claimedIdentity = { account: found?.account.toString(), ...(username !== undefined && { username }) }
    const passkey = named === claimed ? found : undefined
    // Before the signature and the write: the owner of a passkey can sign any number of challenges.
    if (passkey) await fixedWindow.check({ limit: perAccount, subject: passkey.account.toString() })
    const assertRoom = () => failures.check(request.client.ip)
    return acceptAssertion(request, { response, party, challenge, passkey }, context, assertRoom)
  }

  async function begin(request: FastifyRequest, assertion: Assertion): Promise<BegunSession> {
    const account = assertion.passkey.account.toString()
    const credential = await credentials.find(account)
    if (!credential || isSuspended(credential)) throw passkeyRefused()
    const carried = await carriedSessions(request, cookies, sessions)
    const { release } = await fixedWindow.acquire({ limit: perAccount, subject: account })
    // Without `oneTime`: a one-time password that waits for its owner stays as it is.
    const login = { account, credential: { version: credential.version }, carried }
    try {
      return await withAssertion(request, assertion, context, (useUp) =>
        beginSession(request, { ...login, useUp }, context),
      )
    } catch (error) {
      await releaseSoon(release, request.log)
      throw error
    }
  }

  /** As after a login with the password: failures in a row, of passwords and of codes, end with the owner's login. */
  async function clearFailures(request: FastifyRequest, account: string): Promise<void> {
    const own = await accounts.find(account)
    if (!own) return
    const attempt = { username: own.username, account, ip: request.client.ip, device: undefined }
    const clear = async () => void (await Promise.all([loginThrottle.clear(attempt), failedCodes.clearRow(account)]))
    await releaseSoon(clear, request.log)
  }

  return {
    /** @throws Problem `invalid-credentials`, `rate-limited`, `forbidden` without a relying party */
    async logIn(request: FastifyRequest, body: LoginBody): Promise<BegunSession> {
      try {
        const assertion = await prove(request, body)
        if (!assertion) throw passkeyRefused()
        const issued = await begin(request, assertion)
        await clearFailures(request, issued.session.account)
        securityLog.record('authn_login_success', { request })
        return issued
      } catch (error) {
        if (isInvalidCredentials(error)) {
          securityLog.record('authn_login_fail', { request })
          failures.consume(request.client.ip)
        }
        throw error
      }
    },
  }
}
