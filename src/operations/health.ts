import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { Problem, shuttingDown } from '../http/problems.ts'
import { type CheckResult, ofProcess } from './readiness.ts'

const Ok = z.object({ status: z.literal('ok') })
const tags = ['operations']

/** An orchestrator waits a second. Only for the database do checks take longer, and its faults are not the process's. */
const readyWithinMs = 500

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
        summary: 'Check that the process is ready for requests',
        tags,
        response: { 200: Ok },
      },
    },
    async () => {
      if (app.leaving) throw shuttingDown()
      const late = sleep(readyWithinMs, undefined, { ref: false })
      const results = await Promise.race([app.readiness.run(), late])
      return assertReady(ofProcess(results ?? app.readiness.latest()))
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
