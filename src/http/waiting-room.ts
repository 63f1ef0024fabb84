import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { countPerSecond } from './count-per-second.ts'
import { safeMethods } from './origin.ts'
import { overloaded, problemType } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether this route's changes wait for others when many are in progress. */
    isQueued?: boolean
  }

  interface FastifyInstance {
    /** Gives up the place of a change that is refused, and whose answer is held back. */
    leaveRoom(request: FastifyRequest): void
  }
}

export type Bounds = { maxInProgress: number; maxWaitMs: number; maxPlaceMs: number }

/** Two full batches of the writer: one waits while the other is written. */
const defaultBounds: Bounds = { maxInProgress: 1_000, maxWaitMs: 2_500, maxPlaceMs: 1_000 }
/** A client that sends its body more slowly takes no place from others. */
const maxBodyMs = 100
const checkIntervalMs = 50

type Waiter = { request: FastifyRequest; reply: FastifyReply; since: number; start: () => void }

/**
 * Bounds how many changes are in progress. Others wait, first come, first served, before their session and body cost
 * anything, and are refused when they have waited too long. A refusal at once would cost more than the wait: it takes a
 * third of the CPU of a change, and a client that is refused at once is back at once. Since a client waits first, there
 * are few refusals, however many arrive. A change that takes longer than `maxPlaceMs` waits for a lock or the database and
 * uses no CPU, so it gives its place to others. Call this before other hooks are added: requests that wait or are refused
 * must not run them.
 *
 * @param headers - those of every response
 */
export function queueChanges(app: FastifyInstance, headers: Readonly<Record<string, string>>, bounds?: Bounds): void {
  const { maxInProgress, maxWaitMs, maxPlaceMs } = bounds ?? defaultBounds
  const refuse = refusals(headers)
  const report = countPerSecond((refused) => {
    if (app.hasDecorator('countRejected')) app.countRejected('overloaded', refused)
    app.log.warn({ refused }, `${refused} changes were refused: too many were in progress for too long`)
  })
  // In the order of their arrival.
  const waiting = new Set<Waiter>()
  /** Since when it has its place. */
  const inProgress = new Map<FastifyRequest, number>()
  /** Since when the body is awaited. */
  const arriving = new Map<FastifyRequest, number>()

  const isQueued = ({ method, routeOptions }: FastifyRequest) =>
    routeOptions.config.isQueued && !safeMethods.has(method)

  function begin(request: FastifyRequest): void {
    if (!inProgress.has(request)) inProgress.set(request, performance.now())
  }

  function end(request: FastifyRequest): void {
    if (!inProgress.delete(request)) return
    for (const waiter of waiting) {
      if (inProgress.size >= maxInProgress) return
      waiting.delete(waiter)
      // The client has left.
      if (!waiter.reply.raw.closed) start(waiter)
    }
  }

  function start({ request, since, start: proceed }: Waiter): void {
    request.queuedMs = performance.now() - since
    begin(request)
    proceed()
  }

  function refuseOverdue(): void {
    const arrivedBefore = performance.now() - maxWaitMs
    for (const waiter of waiting) {
      if (waiter.since > arrivedBefore) return
      waiting.delete(waiter)
      refuse(waiter)
      report()
    }
  }

  /** Both maps are in the order of their times. */
  function endOlder(requests: Map<FastifyRequest, number>, maxMs: number): void {
    const before = performance.now() - maxMs
    for (const [request, since] of requests) {
      if (since > before) return
      arriving.delete(request)
      end(request)
    }
  }

  const timer = setInterval(() => {
    refuseOverdue()
    endOlder(arriving, maxBodyMs)
    endOlder(inProgress, maxPlaceMs)
  }, checkIntervalMs).unref()
  app.addHook('onClose', async () => clearInterval(timer))
  app.addHook('onRequest', (request, reply, done) => {
    if (!isQueued(request)) return done()
    const waiter = { request, reply, since: performance.now(), start: done }
    if (inProgress.size < maxInProgress) start(waiter)
    else waiting.add(waiter)
  })
  app.addHook('preParsing', async (request) => {
    if (isQueued(request)) arriving.set(request, performance.now())
  })
  app.addHook('preValidation', async (request) => {
    if (arriving.delete(request) || isQueued(request)) begin(request)
  })
  function leave(request: FastifyRequest): void {
    arriving.delete(request)
    end(request)
  }

  app.decorate('leaveRoom', leave)
  // Also for the 503 of a request that takes too long.
  app.addHook('onSend', async (request) => leave(request))
}

/** Makes the changes wait whose routes are registered later in this scope. */
export function withQueuedChanges(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, isQueued: true }
  })
}

/** @returns what answers a request past Fastify, whose own answer costs several times as much */
function refusals(headers: Readonly<Record<string, string>>) {
  const refusal = overloaded('writes')
  const fixed = Object.entries({
    ...headers,
    ...refusal.headers,
    'cache-control': 'no-store',
    'content-type': problemType,
  }).flat()
  return ({ request: { id }, reply }: Waiter) => {
    const body = JSON.stringify(refusal.body(id))
    reply.hijack()
    reply.raw.writeHead(refusal.status, [...fixed, 'x-request-id', id, 'content-length', String(body.length)]).end(body)
  }
}
