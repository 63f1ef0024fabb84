import type { FastifyReply, FastifyRequest } from 'fastify'
import { isAnswered, untilAnswered, withoutDeadline } from '../http/deadline.ts'
import { databaseUnavailable, overloaded } from '../http/problems.ts'
import { clientTurn } from './client-turn.ts'
import type { Ticket } from './fair-queue.ts'

/** The wait for a turn, and the work that was waited for. */
const maxQueuedMs = 20_000

/** Aborts the ticket at a disconnect and after 20 s. @param account - of a known device or live session */
export async function whileQueued<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (ticket: Ticket) => Promise<T>,
  account?: string,
): Promise<T> {
  if (isAnswered(request, reply)) throw databaseUnavailable(new Error('the deadline passed'))
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(overloaded('passwords')), maxQueuedMs).unref()
  const signal = AbortSignal.any([untilAnswered(reply), timeout.signal])
  try {
    return await withoutDeadline(request, reply, () => work({ signal, ...clientTurn(request.client.ip, account) }))
  } finally {
    clearTimeout(timer)
  }
}
