import { Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyInstance {
    draining: boolean
    /**
     * Serves everything for DRAIN_SECONDS, then accepts no connection, and finishes the requests in progress.
     * @returns how many were cut off at the end of GRACE_SECONDS
     */
    drain(): Promise<number>
  }
}

/** How long an idle connection stays open: its client might have sent a request that has not arrived. */
const lingerMs = 1_000
const checkIntervalMs = 20

/** After the last answer, Node would close at once: a request that arrives then resets the connection, answer included. */
function closeWithItsClient(socket: { end(): unknown; destroySoon(): unknown }): void {
  socket.destroySoon = () => socket.end()
}

const countConnections = (server: Server) =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )

type Options = { drainSeconds: number; graceSeconds: number }

/** Adds draining: a balancer notices from /health/ready, and clients from `Connection: close` on every answer. */
export function supportDraining(app: FastifyInstance, { drainSeconds, graceSeconds }: Options): void {
  const { server } = app
  let inProgress = 0
  let lastAnsweredAt = 0
  app.decorate('draining', false)
  app.addHook('onRequest', async (_, reply) => {
    inProgress += 1
    reply.raw.once('close', () => {
      inProgress -= 1
      lastAnsweredAt = performance.now()
    })
  })
  // Not in onRequest: a request that began before the drain is answered during it.
  app.addHook('onSend', async ({ raw }, reply) => {
    if (!app.draining) return
    reply.header('connection', 'close')
    closeWithItsClient(raw.socket)
  })
  app.decorate('drain', async () => {
    app.draining = true
    await sleep(drainSeconds * 1_000, undefined, { ref: false })
    // http.Server's own close() would also close idle connections, on which requests might be about to arrive.
    Server.prototype.close.call(server)
    lastAnsweredAt = performance.now()
    const graceEndMs = lastAnsweredAt + graceSeconds * 1_000
    while ((await countConnections(server)) > 0) {
      const nowMs = performance.now()
      if (nowMs > graceEndMs) {
        const cut = inProgress
        server.closeAllConnections()
        return cut
      }
      if (nowMs - lastAnsweredAt > lingerMs) server.closeIdleConnections()
      await sleep(checkIntervalMs)
    }
    return 0
  })
}
