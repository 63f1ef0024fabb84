import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { databaseUnavailable, Problem } from '../http/problems.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Set when the process is about to end: a load balancer then sends nobody here any more. */
    draining: boolean
  }
}

const Ok = z.object({ status: z.literal('ok') })
const tags = ['operations']

/** How long readiness waits for the database, in milliseconds. */
const patience = 2_000

/** Liveness and readiness, for whoever supervises the process. */
export const health: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/health/live',
    { schema: { summary: 'Whether the process runs', tags, response: { 200: Ok } } },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/health/ready',
    {
      schema: {
        summary: 'Whether it can serve: the database answers and it does not drain',
        tags,
        response: { 200: Ok },
      },
      config: { problems: ['database-unavailable'] },
    },
    async () => {
      if (app.draining) {
        throw new Problem('overloaded', 'The server is about to end.', { headers: { 'retry-after': '5' } })
      }
      await app.db.command({ ping: 1 }, { signal: AbortSignal.timeout(patience) }).catch((error) => {
        throw databaseUnavailable(error)
      })
      return { status: 'ok' as const }
    },
  )
}
