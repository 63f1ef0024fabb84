import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from './errors.ts'
import { clientLeft, databaseUnavailable, overloaded } from './problems.ts'

/** How long a request waits for the database, in milliseconds. */
const patience = 5_000
/** How long it waits for its turn to do something costly, in milliseconds. */
const longestTurn = 20_000

const timers = new WeakMap<FastifyReply, NodeJS.Timeout>()

async function begin(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const timer = setTimeout(() => {
    if (!reply.sent) sendProblem(databaseUnavailable(new Error('the deadline passed')), request, reply)
  }, patience)
  timers.set(reply, timer.unref())
}

const end = async (_request: FastifyRequest, reply: FastifyReply) => clearTimeout(timers.get(reply))

/**
 * Bounds how long a request waits for a database that is away or hangs: once for the hooks that look up its session,
 * once for its handler, and not while its body arrives, so that a slow client is not told that we are slow. A handler's
 * time begins anew, because a transaction must have given up before it is over: see database/transaction.ts.
 */
export function boundHandlers(app: FastifyInstance): void {
  app.addHook('onRequest', begin)
  app.addHook('preParsing', end)
  app.addHook('preValidation', begin)
  app.addHook('onSend', end)
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
  await end(request, reply)
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    reply.raw.off('close', leave)
    await begin(request, reply)
  }
}
