import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { countConnections, stopAccepting } from './acceptors.ts'

/**
 * @property isReplaced - another process serves the same port by now: /health/ready stays as it is, because the balancer
 * would take that process for this one, and DRAIN_SECONDS does not apply
 */
export type DrainOptions = { isReplaced?: boolean }

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether connections end with their next answer. */
    draining: boolean
    /** Whether the balancer should send no more to this port: /health/ready is 503. */
    leaving: boolean
    /** @returns how many requests were cut off at the end of GRACE_SECONDS */
    drain(options?: DrainOptions): Promise<number>
  }
}

/** Idle connections stay open for this long after the last answer: a request might be on its way. */
const lingerMs = 1_000
const checkIntervalMs = 20

/** After the last answer, Node would close at once: a request that arrives then resets the connection, answer included. */
function closeWithItsClient(socket: { end(): unknown; destroySoon(): unknown }): void {
  socket.destroySoon = () => socket.end()
}

/** @property arrivalSeconds - what a request that has not arrived completely has left of the grace period */
type Options = { drainSeconds: number; graceSeconds: number; arrivalSeconds?: number }

/** Adds draining: a balancer notices from /health/ready, and clients from `Connection: close` on every answer. */
export function supportDraining(
  app: FastifyInstance,
  { drainSeconds, graceSeconds, arrivalSeconds = 5 }: Options,
): void {
  const { server } = app
  const inProgress = new Set<FastifyRequest>()
  /** Of those in progress: nothing is begun for them yet. */
  const arriving = new Set<FastifyRequest>()
  let lastAnsweredAt = 0
  app.decorate('draining', false)
  app.decorate('leaving', false)
  app.addHook('onRequest', async (request, reply) => {
    inProgress.add(request)
    if (!request.raw.complete) arriving.add(request)
    reply.raw.once('close', () => {
      inProgress.delete(request)
      arriving.delete(request)
      lastAnsweredAt = performance.now()
    })
  })
  app.addHook('preValidation', async (request) => void arriving.delete(request))
  // Not in onRequest: a request that began before the drain is answered during it.
  app.addHook('onSend', async ({ raw }, reply) => {
    if (!app.draining) return
    reply.header('connection', 'close')
    closeWithItsClient(raw.socket)
  })
  function closeArriving(): void {
    for (const request of arriving) {
      if (request.raw.complete) continue
      inProgress.delete(request)
      request.raw.socket.destroy()
    }
  }
  // Without a drain before it.
  app.addHook('preClose', async () => stopAccepting(server))
  app.decorate('drain', async ({ isReplaced = false } = {}) => {
    app.draining = true
    app.leaving = !isReplaced
    if (!isReplaced) await sleep(drainSeconds * 1_000, undefined, { ref: false })
    // Requests might be about to arrive on idle connections.
    stopAccepting(server)
    lastAnsweredAt = performance.now()
    const graceEndMs = lastAnsweredAt + graceSeconds * 1_000
    const arrivalEndMs = lastAnsweredAt + Math.min(arrivalSeconds, graceSeconds) * 1_000
    while ((await countConnections(server)) > 0) {
      const nowMs = performance.now()
      if (nowMs > arrivalEndMs) closeArriving()
      if (nowMs > graceEndMs) {
        const cut = inProgress.size
        server.closeAllConnections()
        return cut
      }
      if (nowMs - lastAnsweredAt > lingerMs) server.closeIdleConnections()
      await sleep(checkIntervalMs)
    }
    return 0
  })
}
