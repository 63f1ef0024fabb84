import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { Parts } from '../context.ts'
import { normalisePassword } from '../credentials/hashing.ts'
import { transactionPatience } from '../database/transaction.ts'
import { inTurn } from '../http/deadline.ts'
import { invalid } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { member, unauthenticated } from '../sessions/auth-hooks.ts'
import { handOver } from '../sessions/issue.ts'
import { invalidCredentials } from '../sessions/log-in.ts'
import { withOwnPassword } from '../sessions/reauthenticate.ts'
import { changePasswordBody } from './schema.ts'

type Options = Pick<
  Parts,
  | 'accounts'
  | 'activity'
  | 'cookies'
  | 'credentials'
  | 'devices'
  | 'oneByOne'
  | 'passwordMinLength'
  | 'passwords'
  | 'sessions'
  | 'transact'
>

const pointer = '/body/newPassword'

/** Changing one's password. */
export const ownPassword: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, activity, cookies, credentials, devices, oneByOne, passwordMinLength, passwords } = parts
  const { sessions, transact } = parts

  scope.put(
    '/account/password',
    {
      schema: {
        summary: 'Change one’s password: every session ends, and a new one begins here',
        tags: ['accounts'],
        body: changePasswordBody(passwordMinLength),
        response: { 204: NoContent },
      },
      config: { problems: ['invalid-credentials'] },
    },
    async (request, reply) => {
      const viewer = member(request)
      const { account } = viewer
      const { currentPassword, newPassword } = request.body
      const own = await accounts.find(account)
      if (!own) throw unauthenticated()
      const owner = { username: own.username, pointer }
      await inTurn(request, reply, (turn) => passwords.accept(newPassword, owner, turn))
      const begun = await withOwnPassword(request, reply, currentPassword, parts, async ({ version, oneTime }) => {
        if (oneTime && normalisePassword(newPassword) === normalisePassword(currentPassword)) {
          throw invalid({ pointer, detail: 'must be another than the one-time password' })
        }
        const hashed = await inTurn(request, reply, (turn) => passwords.hash(newPassword, account, turn))
        const change = async (transaction: ClientSession) => {
          // A session that was ended while the password was hashed may not bring itself back.
          if (!(await sessions.end(viewer, transaction))) throw invalidCredentials()
          if (!(await credentials.change(account, version, hashed, transaction))) throw invalidCredentials()
          await sessions.endAll(account, transaction)
          await devices.forget(account, transaction)
          await activity.record(account, 'password-changed', request.client, transaction)
          return sessions.create(account, request.client, transaction)
        }
        const deadline = performance.now() + transactionPatience
        return oneByOne(account, () => transact(change, deadline))
      })
      handOver(request, reply, cookies, begun)
      return reply.code(204).send()
    },
  )
}
