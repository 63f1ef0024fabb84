import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { OutcomeUnknownError } from '../database/failures.ts'
import { transactionTimeoutMs } from '../database/transaction.ts'
import { sendProblem, unavailable } from './errors.ts'
import { clientLeft } from './problems.ts'

const databaseTimeoutMs = 5_000
const checkIntervalMs = 50

type Pending = { request: FastifyRequest; deadlineMs: number }

declare module 'fastify' {
  interface FastifyInstance {
    pendingReplies: Map<FastifyReply, Pending>
  }
  interface FastifyRequest {
    /** How long the request waited for others before its hooks ran, in milliseconds: part of its time. */
    queuedMs: number
    /** By `performance.now()`: no commit of this request begins after it. */
    writeDeadline: number
    /** Whether a write of this request has happened, or may still: a 503 must not deny it. */
    mayHaveWritten: boolean
    /** Past its deadline: its 503 is sent, or held back by hooks, and it must not begin a write. */
    isOverdue: boolean
  }
}

/** Whether what the handler does next comes too late to be the answer. `reply.sent` is false while hooks hold a 503 back. */
export const isAnswered = (request: FastifyRequest, reply: FastifyReply): boolean => request.isOverdue || reply.sent

function startDeadline(request: FastifyRequest, reply: FastifyReply): void {
  if (isAnswered(request, reply)) return
  const { pendingReplies } = request.server
  const arrivedMs = performance.now() - request.queuedMs
  request.writeDeadline = arrivedMs + transactionTimeoutMs
  pendingReplies.set(reply, { request, deadlineMs: arrivedMs + databaseTimeoutMs })
}

const clearDeadline = (request: FastifyRequest, reply: FastifyReply) => void request.server.pendingReplies.delete(reply)

function answerOverdue({ pendingReplies }: FastifyInstance): void {
  const nowMs = performance.now()
  for (const [reply, { request, deadlineMs }] of pendingReplies) {
    if (deadlineMs > nowMs) continue
    pendingReplies.delete(reply)
    if (reply.sent) continue
    request.isOverdue = true
    sendProblem(unavailable(new Error('the deadline passed'), request), request, reply)
  }
}

/** A request waits 5 s for the database before its handler and 5 s in it; the arrival of its body does not count. */
export function enforceDeadlines(app: FastifyInstance): void {
  app.decorate('pendingReplies', new Map())
  app.decorateRequest('queuedMs', 0)
  app.decorateRequest('writeDeadline', 0)
  app.decorateRequest('mayHaveWritten', false)
  app.decorateRequest('isOverdue', false)
  const timer = setInterval(answerOverdue, checkIntervalMs, app).unref()
  app.addHook('onClose', async () => clearInterval(timer))
  app.addHook('onRequest', async (request, reply) => startDeadline(request, reply))
  app.addHook('preParsing', async (request, reply) => clearDeadline(request, reply))
  app.addHook('preValidation', async (request, reply) => startDeadline(request, reply))
  app.addHook('onSend', async (request, reply) => clearDeadline(request, reply))
}

export async function withoutDeadline<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  wait: () => Promise<T>,
): Promise<T> {
  clearDeadline(request, reply)
  try {
    return await wait()
  } finally {
    startDeadline(request, reply)
  }
}

/** Within {@link withoutDeadline}: queries the database, under the 5-second deadline. */
export async function withDatabaseDeadline<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  work: () => Promise<T>,
): Promise<T> {
  startDeadline(request, reply)
  try {
    return await work()
  } finally {
    clearDeadline(request, reply)
  }
}

/** The deadline began with the handler, or after its last queue. A write after the 503 could undo a newer one. */
export async function withWriteDeadline<T>(
  request: FastifyRequest,
  write: (deadline: number) => Promise<T>,
): Promise<T> {
  const { mayHaveWritten } = request
  request.mayHaveWritten = true
  try {
    return await write(request.writeDeadline)
  } catch (error) {
    // With any other error, the transaction was not committed and never will be.
    if (!(error instanceof OutcomeUnknownError)) request.mayHaveWritten = mayHaveWritten
    throw error
  }
}

/** Aborted, with the Problem to throw, when no answer can be sent. Fastify's `request.signal` ignores a disconnect. */
export function untilAnswered({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController()
  const onClose = () => controller.abort(clientLeft())
  raw.once('close', onClose)
  if (raw.closed) onClose()
  return controller.signal
}
