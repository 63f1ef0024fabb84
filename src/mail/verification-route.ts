import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { ActivityStore } from '../activity/store.ts'
import type { KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { Problem } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { clientBuckets } from '../limits/client-buckets.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import type { EmailStore } from './emails.ts'
import { parseLinkToken } from './link.ts'
import { VerificationBody } from './schema.ts'

const invalidLink = () =>
  new Problem('not-found', 'This link was used, has expired, or is not valid: PUT /v1/account/email sends another.')

type Context = {
  activity: Pick<ActivityStore, 'record'>
  emails: Pick<EmailStore, 'findPending' | 'isPending' | 'verify'>
  limits: { resetsPerAddress: number }
  mutex: KeyedMutex
  securityLog: SecurityLog
  transact: Transact
}

/** Needs no session: the mail may be read on another device. */
export const verificationRoute: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { activity, emails, limits, mutex, securityLog, transact } = context
  const attempts = clientBuckets({
    name: 'verifications',
    description: 'attempts to verify an address',
    perAddress: 10 * limits.resetsPerAddress,
  })

  scope.post(
    '/email-verification',
    {
      onRequest: async ({ client }, reply) => void reply.headers(attempts.headersOf(attempts.consume(client.ip))),
      schema: {
        operationId: 'verifyEmail',
        summary: 'Verify an e-mail address',
        tags: ['accounts'],
        body: VerificationBody,
        response: { 204: NoContent },
      },
      config: { problems: ['not-found', 'rate-limited'], howToFindOut: 'GET /v1/account/email shows your address.' },
    },
    async (request, reply) => {
      const link = parseLinkToken(request.body.token)
      // Before the mutex: a token can name any account, and a stranger's must not hold up its owner's logins.
      if (!link || !(await emails.isPending(link.account, link.hash))) throw invalidLink()
      const { account, hash } = link
      const at = new Date()
      const verify = async (transaction: ClientSession) => {
        const address = await emails.findPending(account, hash, transaction)
        if (address === undefined) throw invalidLink()
        // Before the old address is gone, which gets the notice.
        await activity.record(account, 'email-changed', request.client, transaction)
        await emails.verify(account, address, at, transaction)
      }
      await withWriteDeadline(request, (deadline) => mutex(account, () => transact(verify, deadline)))
      securityLog.record('user_updated', { request, account, detail: { what: 'email' } })
      return reply.code(204).send()
    },
  )
}
