import type { FastifyInstance } from 'fastify'
import { shuttingDown } from './problems.ts'

declare module 'fastify' {
  interface FastifyInstance {
    draining: boolean
    /** Refuses new requests, and resolves when all requests in progress are answered. */
    drain(): Promise<void>
  }
}

/** Adds draining. The server keeps listening, so that health checks fail and clients get `Retry-After`. */
export function supportDraining(app: FastifyInstance): void {
  let inProgress = 0
  let onIdle = () => {}
  app.decorate('draining', false)
  app.decorate('drain', async () => {
    app.draining = true
    if (inProgress > 0) await new Promise<void>((resolve) => (onIdle = resolve))
  })
  app.addHook('onRequest', async (request, reply) => {
    if (app.draining) {
      reply.header('connection', 'close')
      if (!request.routeOptions.url?.startsWith('/health/')) throw shuttingDown()
      return
    }
    inProgress += 1
    reply.raw.once('close', () => {
      inProgress -= 1
      if (inProgress === 0) onIdle()
    })
  })
}
