import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { AccountStore } from '../accounts/store.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { PasswordService } from '../credentials/password-service.ts'
import type { CredentialStore } from '../credentials/store.ts'
import type { KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { addressKey, networkKey } from '../http/client-address.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { Problem } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import type { AccountCounters } from '../limits/account-counters.ts'
import { clientBuckets } from '../limits/client-buckets.ts'
import type { FixedWindow } from '../limits/fixed-window.ts'
import { limitWindowSeconds } from '../limits/headers.ts'
import type { LoginThrottle } from '../limits/login-throttle.ts'
import { releaseSoon } from '../limits/release.ts'
import { whileQueued } from '../limits/while-queued.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import type { SessionCookies } from '../sessions/cookies.ts'
import type { DeviceStore } from '../sessions/devices.ts'
import type { SessionStore } from '../sessions/store.ts'
import type { EmailStore } from './emails.ts'
import { lifetimesMs, parseLinkToken } from './link.ts'
import type { OutboxStore } from './outbox.ts'
import { ResetRequestBody, resetBody } from './schema.ts'

type Context = {
  accounts: Pick<AccountStore, 'find' | 'idOf'>
  activity: Pick<ActivityStore, 'record'>
  cookies: SessionCookies
  countersOf: (account: { id: string; username: string }) => Pick<AccountCounters, 'clearFailedLogins'>
  credentials: Pick<CredentialStore, 'change'>
  devices: Pick<DeviceStore, 'deleteAll' | 'remember'>
  emails: Pick<EmailStore, 'dropPending' | 'findReset' | 'useReset'>
  fixedWindow: FixedWindow
  limits: { resetsPerAddress: number; resetsPerNetwork: number }
  loginThrottle: Pick<LoginThrottle, 'standInId'>
  mutex: KeyedMutex
  outbox: Pick<OutboxStore, 'add'>
  passwordMinLength: number
  passwords: Pick<PasswordService, 'assertStrong' | 'hash'>
  securityLog: SecurityLog
  sessions: Pick<SessionStore, 'endAll'>
  transact: Transact
}

const tags = ['sessions']

const invalidLink = () =>
  new Problem('invalid-credentials', 'This link was used, has expired, was replaced, or is not valid: ask for another.')

export const resetRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, activity, cookies, countersOf, credentials, devices, emails, fixedWindow, limits } = context
  const { loginThrottle, mutex, outbox, passwordMinLength, passwords, securityLog, sessions, transact } = context
  const requests = { description: 'requests for a new password', windowSeconds: limitWindowSeconds }
  const perAddress = { ...requests, name: 'resets', quota: limits.resetsPerAddress }
  const perNetwork = { ...requests, name: 'resets-by-network', quota: limits.resetsPerNetwork }
  const attempts = clientBuckets({
    name: 'reset-attempts',
    description: 'attempts to use a link',
    perAddress: 10 * limits.resetsPerAddress,
  })

  scope.post(
    '/password-reset',
    {
      schema: {
        operationId: 'requestPasswordReset',
        summary: 'Ask for a link to reset a password',
        description: 'The answer is the same whether the account exists and whether it has a verified e-mail address.',
        tags,
        body: ResetRequestBody,
        response: { 202: NoContent },
      },
      config: { problems: ['rate-limited'], howToFindOut: 'A mail comes within minutes.' },
    },
    async (request, reply) => {
      const { username } = request.body
      const { client } = request
      const counters = [
        { limit: perAddress, subject: addressKey(client.ip) },
        { limit: perNetwork, subject: networkKey(client.ip) },
      ] as const
      // Over a limit, without a write for each refusal.
      await fixedWindow.check(...counters)
      const { headers, release } = await fixedWindow.acquire(...counters)
      const known = await accounts.idOf(username)
      request.claimedIdentity = { account: known, username }
      // The same for each name: what it leads to is found out after the answer, in reset-links.ts.
      const account = known ?? loginThrottle.standInId(username)
      const at = new Date()
      const giveUpAt = new Date(at.getTime() + lifetimesMs.reset)
      const add = (transaction: ClientSession) =>
        outbox.add({ kind: 'reset-request', account, at, ...client }, giveUpAt, transaction)
      try {
        await withWriteDeadline(request, (deadline) => transact(add, deadline))
      } catch (error) {
        await releaseSoon(release, request.log)
        throw error
      }
      securityLog.record('authn_password_reset', { request })
      return reply.code(202).headers(headers).send()
    },
  )

  scope.post(
    '/password-reset/confirm',
    {
      onRequest: async ({ client }, reply) => void reply.headers(attempts.headersOf(attempts.consume(client.ip))),
      schema: {
        operationId: 'confirmPasswordReset',
        summary: 'Reset a password with a link',
        tags,
        body: resetBody(passwordMinLength),
        response: { 204: NoContent },
      },
      config: {
        responseHeaders: ['set-cookie'],
        problems: ['invalid-credentials', 'rate-limited'],
        howToFindOut: 'Logging in shows which password is valid.',
      },
    },
    async (request, reply) => {
      const { token, newPassword } = request.body
      const { client } = request
      const refuse = () => {
        securityLog.record('authn_password_reset_fail', { request })
        return invalidLink()
      }
      const link = parseLinkToken(token)
      const version = link && (await emails.findReset(link.account, link.hash))
      const own = link && (await accounts.find(link.account))
      if (!link || version === undefined || !own) throw refuse()
      const { account, hash } = link
      request.claimedIdentity = { account }
      // A password that is refused does not use the link.
      const owner = { ...own, pointer: '/body/newPassword' }
      await whileQueued(request, reply, (ticket) => passwords.assertStrong(newPassword, owner, ticket))
      const hashed = await whileQueued(request, reply, (ticket) => passwords.hash(newPassword, account, ticket))
      const reset = async (transaction: ClientSession) => {
        await sessions.endAll(account, transaction)
        const used = await emails.useReset(account, hash, transaction)
        if (used.outcome === 'not-found') throw refuse()
        const changed = await credentials.change(account, version, hashed, transaction)
        if (changed.outcome === 'changed') throw refuse()
        await devices.deleteAll(account, transaction)
        await emails.dropPending(account, transaction)
        await activity.record(account, 'password-reset', client, transaction)
        return devices.remember(account, { presented: [], client }, transaction)
      }
      const device = await withWriteDeadline(request, (deadline) => mutex(account, () => transact(reset, deadline)))
      // As an operator's reset: failures that another caused must not keep the owner out.
      await releaseSoon(() => countersOf(own).clearFailedLogins(), request.log)
      securityLog.record('authn_password_change', { request, detail: { reason: 'reset' } })
      cookies.setDevice(reply, device.token)
      return reply.code(204).send()
    },
  )
}
