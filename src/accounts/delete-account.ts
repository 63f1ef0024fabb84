import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import { inSessionTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Sweeper } from '../database/sweeper.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { unauthenticated } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { assertConfirmed } from '../sessions/assert-confirmed.ts'
import { requireConfirmation, requireViewer } from '../sessions/auth-hooks.ts'
import type { SessionCookies } from '../sessions/cookies.ts'
import type { SessionStore } from '../sessions/store.ts'
import type { ContentDeletion } from './delete-content.ts'
import { type RemoveContext, removeAccount } from './remove-account.ts'

type Context = RemoveContext & {
  contentDeletion: Pick<ContentDeletion, 'deleteContent'>
  cookies: SessionCookies
  mutex: KeyedMutex
  securityLog: SecurityLog
  sessions: Pick<SessionStore, 'endAll' | 'find' | 'isConfirmed' | 'touch'>
  sweepers: { accounts: Sweeper; posts: Sweeper }
  transact: Transact
}

const maxDeletedBeforeAnswer = 1_000
/** How long the answer may wait for that, from the request; http/deadline.ts allows little more. */
const answerWithinMs = 4_000

export const deleteAccountRoute: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { contentDeletion, cookies, mutex, securityLog, sessions, sweepers, transact } = context

  scope.delete(
    '/account',
    {
      preHandler: requireConfirmation(context),
      schema: {
        operationId: 'deleteAccount',
        summary: 'Delete your account',
        tags: ['accounts'],
        response: { 204: NoContent },
      },
      config: {
        countsForSession: true,
        responseHeaders: ['set-cookie', 'clear-site-data'],
        problems: ['confirmation-required'],
        howToFindOut: 'GET /v1/accounts/{username} shows whether the account exists.',
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account } = viewer
      const startedAt = performance.now()
      const deleteAccount = async (transaction: ClientSession) => {
        // All but this one, whose confirmation is asserted; removeAccount() ends it with what is left.
        await sessions.endAll(account, transaction, viewer.session)
        await assertConfirmed(viewer, sessions, transaction)
        const removed = await removeAccount(account, request.client, context, transaction)
        if (removed.outcome === 'not-found') throw unauthenticated()
      }
      await withWriteDeadline(request, (deadline) =>
        inSessionTurn(mutex, viewer, () => transact(deleteAccount, deadline)),
      )
      securityLog.record('user_deleted', { request })

      const enough = new AbortController()
      const deletion = contentDeletion
        .deleteContent(account, enough.signal, maxDeletedBeforeAnswer)
        .catch((error) => request.log.warn({ err: error }, 'content of a deleted account left to the sweeper'))
      const timeLeftMs = Math.max(0, startedAt + answerWithinMs - performance.now())
      await Promise.race([deletion, sleep(timeLeftMs, undefined, { ref: false })])
      enough.abort()
      sweepers.accounts.wake()
      sweepers.posts.wake()

      cookies.clearSession(reply)
      cookies.clearDevice(reply)
      return reply.code(204).send()
    },
  )
}
