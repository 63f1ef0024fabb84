import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { databaseUnavailable, shuttingDown } from '../http/problems.ts'

const Ok = z.object({ status: z.literal('ok') })
const tags = ['operations']

const pingTimeoutMs = 2_000

export const health: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/health/live',
    { schema: { summary: 'Check that the process runs', tags, response: { 200: Ok } } },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/health/ready',
    {
      schema: {
        summary: 'Check that the process can serve requests',
        tags,
        response: { 200: Ok },
      },
    },
    async () => {
      if (app.draining) throw shuttingDown()
      await app.signals.command({ ping: 1 }, { signal: AbortSignal.timeout(pingTimeoutMs) }).catch((error) => {
        throw databaseUnavailable(error)
      })
      return { status: 'ok' as const }
    },
  )
}
