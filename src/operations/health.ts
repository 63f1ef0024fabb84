import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { clockDiffers, databaseUnavailable, shuttingDown } from '../http/problems.ts'
import type { ClockCheck } from './clock-check.ts'

const Ok = z.object({ status: z.literal('ok') })
const tags = ['operations']

const pingTimeoutMs = 2_000

type Context = { clock: Pick<ClockCheck, 'check'> }

export const health: FastifyPluginAsyncZod<Context> = async (app, { clock }) => {
  let pinging: Promise<unknown> | undefined
  // One at a time: however often a client asks, the other signals have connections.
  const ping = () => {
    pinging ??= app.signals.command({ ping: 1 }, { signal: AbortSignal.timeout(pingTimeoutMs) }).finally(() => {
      pinging = undefined
    })
    return pinging
  }

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
      await ping().catch((error) => {
        throw databaseUnavailable(error)
      })
      const { outcome } = await clock.check()
      if (outcome === 'wrong') throw clockDiffers()
      return { status: 'ok' as const }
    },
  )
}
