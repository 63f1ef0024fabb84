import { setTimeout as sleep } from 'node:timers/promises'
import type { onRequestAsyncHookHandler, onSendAsyncHookHandler } from 'fastify'
import { addressKey, addressOf } from './address.ts'
import type { Limit, Slot, ThrottleStore } from './store.ts'

/** How long an answer waits for a place to be given back, in milliseconds. */
const patience = 500

/**
 * Route hooks that count what a route creates by the client's address. A place is taken before anything costs us, and
 * given back when nothing came of it.
 */
export function limited(throttle: ThrottleStore, limit: Limit) {
  const slots = new WeakMap<object, Slot>()
  const onRequest: onRequestAsyncHookHandler = async (request, reply) => {
    const slot = await throttle.take(limit, addressKey(addressOf(request)))
    slots.set(request, slot)
    reply.headers(slot.headers)
  }
  // Before the answer: whoever mends the fault and comes again must find the place free. After it would also miss
  // clients that have hung up. A database that is away may not hold the answer up for long.
  const onSend: onSendAsyncHookHandler = async (request, reply) => {
    const slot = slots.get(request)
    if (slot === undefined || reply.statusCode === 201) return
    slots.delete(request)
    const given = slot.giveBack().catch((error) => request.log.warn({ err: error }, 'a place was not given back'))
    await Promise.race([given, sleep(patience, undefined, { ref: false })])
  }
  return { onRequest, onSend }
}
