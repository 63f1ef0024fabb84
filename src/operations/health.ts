import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { Problem, shuttingDown } from '../http/problems.ts'
import type { CheckResult } from './readiness.ts'

const Ok = z.object({ status: z.literal('ok') })
const tags = ['operations']

function assertReady(results: readonly CheckResult[]): { status: 'ok' } {
  const failed = results.filter(({ isReady }) => !isReady)
  const [first] = failed
  if (!first) return { status: 'ok' }
  // The database's fault explains the others.
  const { code, cause } = failed.find(({ code }) => code === 'database-unavailable') ?? first
  const detail = `The server is not ready: ${failed.map(({ fault }) => fault).join('; ')}.`
  throw new Problem(code, detail, { headers: { 'retry-after': '1' }, cause })
}

export const health: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/health/live',
    { schema: { operationId: 'checkLiveness', summary: 'Check that the process runs', tags, response: { 200: Ok } } },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/health/ready',
    {
      schema: {
        operationId: 'checkReadiness',
        summary: 'Check that the process can serve requests',
        tags,
        response: { 200: Ok },
      },
    },
    async () => {
      if (app.draining) throw shuttingDown()
      return assertReady(await app.readiness.run())
    },
  )

  app.get(
    '/health/database',
    {
      schema: {
        operationId: 'checkDatabase',
        summary: 'Check that the database can be used',
        tags,
        response: { 200: Ok },
      },
    },
    async () => {
      const results = await app.readiness.run()
      return assertReady(results.filter(({ code }) => code === 'database-unavailable'))
    },
  )
}
