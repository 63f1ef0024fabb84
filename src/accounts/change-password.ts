import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { FailedLogins } from '../activity/failed-logins.ts'
import type { ActivityStore } from '../activity/store.ts'
import { normalisePassword } from '../credentials/hashing.ts'
import type { PasswordService } from '../credentials/password-service.ts'
import type { CredentialStore } from '../credentials/store.ts'
import { inSessionTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { invalid, unauthenticated } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import type { Ticket } from '../limits/fair-queue.ts'
import { whileQueued } from '../limits/while-queued.ts'
import type { EmailStore } from '../mail/emails.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import type { SecondFactorStore } from '../second-factor/store.ts'
import { requireConfirmation, requireViewer } from '../sessions/auth-hooks.ts'
import { invalidCredentials } from '../sessions/begin-session.ts'
import type { SessionCookies } from '../sessions/cookies.ts'
import type { DeviceStore } from '../sessions/devices.ts'
import { setSessionCookies } from '../sessions/issue.ts'
import { reauthenticate } from '../sessions/reauthenticate.ts'
import type { SessionStore } from '../sessions/store.ts'
import { changePasswordBody } from './schema.ts'
import type { AccountStore } from './store.ts'

type Context = {
  accounts: Pick<AccountStore, 'find'>
  activity: ActivityStore
  cookies: SessionCookies
  credentials: Pick<CredentialStore, 'change' | 'find'>
  devices: Pick<DeviceStore, 'deleteAll' | 'remember'>
  emails: Pick<EmailStore, 'dropPending'>
  failedLogins: FailedLogins
  mutex: KeyedMutex
  passwordMinLength: number
  passwords: PasswordService
  secondFactors: Pick<SecondFactorStore, 'isEnrolled'>
  securityLog: SecurityLog
  sessions: SessionStore
  transact: Transact
}

const pointer = '/body/newPassword'

export const passwordRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, activity, cookies, credentials, devices, emails, mutex, passwordMinLength } = context
  const { passwords, secondFactors, securityLog, sessions, transact } = context
  const requireConfirmed = requireConfirmation(context)

  /** A thief of session and password must not change it without a code. */
  async function requireSecondFactor(request: FastifyRequest): Promise<void> {
    const { account, passwordChangeRequired } = requireViewer(request)
    // The session of a one-time password confirms nothing, and its login has needed the code.
    if (!passwordChangeRequired && (await secondFactors.isEnrolled(account))) await requireConfirmed(request)
  }

  scope.put(
    '/account/password',
    {
      preHandler: requireSecondFactor,
      schema: {
        operationId: 'changePassword',
        summary: 'Change your password',
        description: 'With a second factor, the session must have been confirmed within the last 10 minutes.',
        tags: ['accounts'],
        body: changePasswordBody(passwordMinLength),
        response: { 204: NoContent },
      },
      config: {
        countsForSession: true,
        responseHeaders: ['set-cookie'],
        problems: ['confirmation-required', 'invalid-credentials'],
        howToFindOut: 'Logging in shows which password is valid.',
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account } = viewer
      const { currentPassword, newPassword } = request.body
      const own = await accounts.find(account)
      if (!own) throw unauthenticated()
      const owner = { ...own, pointer }
      const issued = await reauthenticate(request, reply, currentPassword, context, async ({ version, oneTime }) => {
        // Once more: an enrolment after the first look, and before the version was read, would not conflict below.
        await requireSecondFactor(request)
        if (oneTime && normalisePassword(newPassword) === normalisePassword(currentPassword)) {
          throw invalid({ pointer, detail: 'Must differ from the one-time password.' })
        }
        const judge = (ticket: Ticket) => passwords.assertStrong(newPassword, owner, ticket)
        await whileQueued(request, reply, judge, account)
        const hash = (ticket: Ticket) => passwords.hash(newPassword, account, ticket)
        const hashed = await whileQueued(request, reply, hash, account)
        const change = async (transaction: ClientSession) => {
          await sessions.endAll(account, transaction, viewer.session)
          // A session that ended while the password was hashed must not bring itself back.
          const ended = await sessions.end(viewer, transaction)
          if (ended.outcome === 'not-found') throw invalidCredentials()
          const { outcome } = await credentials.change(account, version, hashed, transaction)
          if (outcome === 'changed') throw invalidCredentials()
          await devices.deleteAll(account, transaction)
          await emails.dropPending(account, transaction)
          await activity.record(account, 'password-changed', request.client, transaction)
          const device = await devices.remember(account, { presented: [], client: request.client }, transaction)
          return { ...(await sessions.create(account, request.client, transaction)), device: device.token }
        }
        return withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(change, deadline)))
      })
      securityLog.record('authn_password_change', { request })
      setSessionCookies(request, reply, cookies, issued)
      cookies.setDevice(reply, issued.device)
      return reply.code(204).send()
    },
  )
}
