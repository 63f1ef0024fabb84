import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { AccountStore } from '../accounts/store.ts'
import type { ActivityStore } from '../activity/store.ts'
import { inSessionTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { unauthenticated } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { releaseSoon } from '../limits/release.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { assertConfirmed } from '../sessions/assert-confirmed.ts'
import { requireConfirmation, requireViewer } from '../sessions/auth-hooks.ts'
import type { SessionStore } from '../sessions/store.ts'
import type { EmailStore } from './emails.ts'
import { lifetimesMs, newLinkToken } from './link.ts'
import type { OutboxStore } from './outbox.ts'
import { EmailBody, EmailView } from './schema.ts'
import type { VerificationLimits } from './verification-limits.ts'

type Context = {
  accounts: Pick<AccountStore, 'find'>
  activity: Pick<ActivityStore, 'record'>
  emails: EmailStore
  mutex: KeyedMutex
  outbox: Pick<OutboxStore, 'add'>
  securityLog: SecurityLog
  sessions: Pick<SessionStore, 'find' | 'isConfirmed' | 'touch'>
  transact: Transact
  verificationLimits: VerificationLimits
}

const tags = ['accounts']
const detail = { what: 'email' }
const howToFindOut = 'GET /v1/account/email shows your address.'

export const emailRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, activity, emails, mutex, outbox, securityLog, sessions, transact, verificationLimits } = context
  const afterConfirm = {
    preHandler: requireConfirmation(context),
    config: { countsForSession: true, problems: ['confirmation-required'] as const, howToFindOut },
  }

  scope.get(
    '/account/email',
    {
      schema: {
        operationId: 'readEmail',
        summary: 'Read your e-mail address',
        tags,
        response: { 200: EmailView },
      },
    },
    (request) => emails.find(requireViewer(request).account),
  )

  scope.put(
    '/account/email',
    {
      ...afterConfirm,
      schema: {
        operationId: 'changeEmail',
        summary: 'Set or change your e-mail address',
        description: 'Sends a link to the new address, which replaces the old one once the link is used.',
        tags,
        body: EmailBody,
        response: { 202: NoContent },
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account } = viewer
      const { email: address } = request.body
      const own = await accounts.find(account)
      if (!own) throw unauthenticated()
      const { username } = own
      const { token, hash } = newLinkToken(account)
      const until = new Date(Date.now() + lifetimesMs.verify)
      const { isSent, release } = await verificationLimits.acquire(account, address)
      const change = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        await emails.setPending(account, { username, address, hash, until }, transaction)
        if (isSent) await outbox.add({ kind: 'verification', to: address, username, token }, until, transaction)
        await activity.record(account, 'email-change-requested', request.client, transaction)
      }
      try {
        await withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(change, deadline)))
      } catch (error) {
        await releaseSoon(release, request.log)
        throw error
      }
      return reply.code(202).send()
    },
  )

  scope.delete(
    '/account/email',
    {
      ...afterConfirm,
      schema: {
        operationId: 'removeEmail',
        summary: 'Remove your e-mail address',
        tags,
        response: { 204: NoContent },
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account } = viewer
      const remove = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        if (!(await emails.isNamed(account, transaction))) return
        // Before the address is gone, which gets the notice.
        await activity.record(account, 'email-removed', request.client, transaction)
        await emails.delete(account, transaction)
      }
      await withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(remove, deadline)))
      securityLog.record('user_updated', { request, detail })
      return reply.code(204).send()
    },
  )
}
