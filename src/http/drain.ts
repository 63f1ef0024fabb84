import type { FastifyInstance } from 'fastify'
import { aboutToEnd } from './problems.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Set when the process is about to end: a load balancer then sends nobody here any more. */
    draining: boolean
    /** Refuses what begins from now on, and resolves when all that had begun is answered. */
    drain(): Promise<void>
  }
}

/**
 * Lets the server end without cutting anybody off. It goes on listening meanwhile: those who ask after its health
 * must hear that it ends, and everybody else that they may come again.
 */
export function drainOnDemand(app: FastifyInstance): void {
  let begun = 0
  let finished = () => {}
  app.decorate('draining', false)
  app.decorate('drain', async () => {
    app.draining = true
    if (begun > 0) await new Promise<void>((resolve) => (finished = resolve))
  })
  app.addHook('onRequest', async (request, reply) => {
    if (app.draining) {
      reply.header('connection', 'close')
      if (!request.routeOptions.url?.startsWith('/health/')) throw aboutToEnd()
      return
    }
    begun += 1
    reply.raw.once('close', () => {
      begun -= 1
      if (begun === 0) finished()
    })
  })
}
