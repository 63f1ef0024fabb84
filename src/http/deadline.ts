import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from './errors.ts'
import { clientLeft, databaseUnavailable, overloaded } from './problems.ts'

/** How long a request waits for the database, in milliseconds. */
const patience = 5_000
/** How long it waits for its turn to do something costly, in milliseconds. */
const longestTurn = 20_000

/** How often it is looked who has waited too long, in milliseconds. */
const lookEvery = 50

/**
 * Who waits, since when they began to. One timer looks after all of them: they are in order, because all may wait as
 * long, and a timer for each would cost more than the looking.
 */
const waiting = new Map<FastifyReply, { request: FastifyRequest; until: number }>()

function begin(request: FastifyRequest, reply: FastifyReply): void {
  waiting.delete(reply)
  waiting.set(reply, { request, until: performance.now() + patience })
}

const end = (reply: FastifyReply) => void waiting.delete(reply)

function endOverdue(): void {
  const now = performance.now()
  for (const [reply, { request, until }] of waiting) {
    if (until > now) return
    end(reply)
    if (!reply.sent) sendProblem(databaseUnavailable(new Error('the deadline passed')), request, reply)
  }
}

/**
 * Bounds how long a request waits for a database that is away or hangs: once for the hooks that look up its session,
 * once for its handler, and not while its body arrives, so that a slow client is not told that we are slow. A handler's
 * time begins anew, because a transaction must have given up before it is over: see database/transaction.ts.
 */
export function boundHandlers(app: FastifyInstance): void {
  const looking = setInterval(endOverdue, lookEvery).unref()
  app.addHook('onClose', async () => clearInterval(looking))
  app.addHook('onRequest', async (request, reply) => begin(request, reply))
  app.addHook('preParsing', async (_request, reply) => end(reply))
  app.addHook('preValidation', async (request, reply) => begin(request, reply))
  app.addHook('onSend', async (_request, reply) => end(reply))
}

/**
 * Does what has to wait for its turn, such as hashing: that time does not count as the database's.
 *
 * @param work - is given a signal that is aborted, with the Problem to throw, when the client has left or after 20
 * seconds. Fastify's `request.signal` says nothing of use: a request is "closed" once its body has been read.
 */
export async function inTurn<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const leave = () => controller.abort(clientLeft())
  const giveUp = () => controller.abort(overloaded('passwords'))
  const timer = setTimeout(giveUp, longestTurn).unref()
  reply.raw.once('close', leave)
  if (reply.raw.closed) leave()
  end(reply)
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    reply.raw.off('close', leave)
    begin(request, reply)
  }
}
