import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { Parts } from '../context.ts'
import { transactionPatience } from '../database/transaction.ts'
import { NoContent } from '../http/responses.ts'
import { member, requireConfirmation, unauthenticated } from '../sessions/auth-hooks.ts'

type Options = Pick<
  Parts,
  | 'accounts'
  | 'accountSweep'
  | 'cookies'
  | 'credentials'
  | 'devices'
  | 'fence'
  | 'oneByOne'
  | 'sessions'
  | 'sweepers'
  | 'transact'
  | 'usernameHoldDays'
>

/** What of an account goes before the answer. */
const mostBeforeAnswer = 1_000
/** How long the answer may wait for it, in milliseconds after the request: less than http/deadline.ts gives. */
const answerWithin = 4_000

/** Deleting one's account. */
export const removeAccount: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, accountSweep, cookies, credentials, devices, fence, oneByOne, sessions, sweepers } = parts
  const { transact, usernameHoldDays } = parts

  scope.delete(
    '/account',
    {
      preHandler: requireConfirmation(parts),
      schema: { summary: 'Delete one’s account', tags: ['accounts'], response: { 204: NoContent } },
      config: { problems: ['confirmation-required'] },
    },
    async (request, reply) => {
      const viewer = member(request)
      const { account } = viewer
      const began = performance.now()
      const remove = async (transaction: ClientSession) => {
        await fence.raise(account, transaction)
        // A session that has ended meanwhile decides nothing any more.
        if (!(await sessions.end(viewer, transaction))) throw unauthenticated()
        if (!(await accounts.remove(account, usernameHoldDays, transaction))) throw unauthenticated()
        await sessions.endAll(account, transaction)
        await credentials.remove(account, transaction)
        await devices.forget(account, transaction)
      }
      // Each raises the same fence.
      await oneByOne('removals of accounts', () => transact(remove, began + transactionPatience))

      const enough = new AbortController()
      const swept = accountSweep.takeBack(account, enough.signal, mostBeforeAnswer).catch((error) => {
        request.log.warn({ err: error }, 'what an account has written is removed later')
      })
      await Promise.race([
        swept,
        sleep(Math.max(0, began + answerWithin - performance.now()), undefined, { ref: false }),
      ])
      enough.abort()
      sweepers.accounts.wake()
      sweepers.posts.wake()

      cookies.clearSession(reply)
      cookies.clearDevice(reply)
      return reply.code(204).send()
    },
  )
}
