import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { addressKey } from './client-address.ts'
import { sendProblem } from './errors.ts'
import { clientLeft, databaseUnavailable, overloaded } from './problems.ts'

/** How long a request waits for the database, in milliseconds. */
const databaseTimeoutMs = 5_000
/** How long it waits for its turn to do something costly, in milliseconds. */
const maxQueueWaitMs = 20_000
/** How often it is looked who has waited too long, in milliseconds. */
const checkIntervalMs = 50

type Waiting = { request: FastifyRequest; until: number }

declare module 'fastify' {
  interface FastifyInstance {
    /** Who waits for the database, in the order in which they began to, which is that of their deadlines. */
    waiting: Map<FastifyReply, Waiting>
  }
}

function begin(request: FastifyRequest, reply: FastifyReply): void {
  const { waiting } = request.server
  waiting.delete(reply)
  waiting.set(reply, { request, until: performance.now() + databaseTimeoutMs })
}

const end = (request: FastifyRequest, reply: FastifyReply) => void request.server.waiting.delete(reply)

/** Stops at the first that is in time: a timer for each request would cost more. */
function endOverdue({ waiting }: FastifyInstance): void {
  const now = performance.now()
  for (const [reply, { request, until }] of waiting) {
    if (until > now) return
    waiting.delete(reply)
    if (!reply.sent) sendProblem(databaseUnavailable(new Error('the deadline passed')), request, reply)
  }
}

/**
 * Bounds how long a request waits for a database that is away or hangs: once for the hooks that look up its session,
 * once for its handler, and not while its body arrives, so that a slow client is not told that we are slow. A handler's
 * time begins anew, because a transaction must have given up before it is over: see database/transaction.ts.
 */
export function enforceDeadlines(app: FastifyInstance): void {
  app.decorate('waiting', new Map())
  const looking = setInterval(endOverdue, checkIntervalMs, app).unref()
  app.addHook('onClose', async () => clearInterval(looking))
  app.addHook('onRequest', async (request, reply) => begin(request, reply))
  app.addHook('preParsing', async (request, reply) => end(request, reply))
  app.addHook('preValidation', async (request, reply) => begin(request, reply))
  app.addHook('onSend', async (request, reply) => end(request, reply))
}

/** Within {@link whileQueued}: asks the database all the same, and within its time. */
export async function withDatabaseDeadline<T>(request: FastifyRequest, reply: FastifyReply, work: () => Promise<T>): Promise<T> {
  begin(request, reply)
  try {
    return await work()
  } finally {
    end(request, reply)
  }
}

/** What waits for its turn: for whom, and until when it is wanted. */
export type QueueTicket = { signal: AbortSignal; address: string }

/**
 * Does what has to wait for its turn, such as hashing: that time does not count as the database's.
 *
 * @param work - is given its turn: the signal is aborted, with the Problem to throw, when the client has left or after 20
 * seconds. Fastify's `request.signal` says nothing of use: a request is "closed" once its body has been read.
 */
export async function whileQueued<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (turn: QueueTicket) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const leave = () => controller.abort(clientLeft())
  const giveUp = () => controller.abort(overloaded('passwords'))
  const timer = setTimeout(giveUp, maxQueueWaitMs).unref()
  reply.raw.once('close', leave)
  if (reply.raw.closed) leave()
  end(request, reply)
  try {
    return await work({ signal: controller.signal, address: addressKey(request.client.ip) })
  } finally {
    clearTimeout(timer)
    reply.raw.off('close', leave)
    begin(request, reply)
  }
}
