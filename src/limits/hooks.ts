import type { FastifyRequest, onRequestAsyncHookHandler, onSendAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { addressKey } from '../http/client-address.ts'
import { safeMethods } from '../http/origin.ts'
import type { Slot, WindowLimits } from './fixed-window.ts'
import { type Limit, quarterHour } from './headers.ts'
import { giveBackSoon } from './release.ts'

/**
 * Route hooks that count what a route creates by the client's address. A place is taken before anything costs us, and
 * given back when nothing came of it.
 */
export function limited(windows: WindowLimits, limit: Limit) {
  const slots = new WeakMap<object, Slot & { spent: boolean }>()
  const onRequest: onRequestAsyncHookHandler = async (request, reply) => {
    const slot = await windows.take(limit, addressKey(request.client.ip))
    slots.set(request, { ...slot, spent: false })
    reply.headers(slot.headers)
  }
  // Not after the answer: that would also miss clients that have hung up.
  const onSend: onSendAsyncHookHandler = async (request, reply) => {
    const slot = slots.get(request)
    if (slot === undefined || reply.statusCode === 201) return
    if (slot.spent && reply.statusCode < 500) return
    slots.delete(request)
    await giveBackSoon(slot.giveBack, request.log)
  }
  /** From now on the client has had its place, whatever comes of it: for what costs us much. */
  const spend = (request: FastifyRequest) => {
    const slot = slots.get(request)
    if (slot) slot.spent = true
  }
  return { onRequest, onSend, spend }
}

type WriteOptions = {
  windows: WindowLimits
  limits: { writesPerAccount: number; writesPerAddress: number }
  who: (request: FastifyRequest) => { account: string }
}

/** For members: so many changes in 15 minutes, by the address and by the account; the client is told its own. */
export const limitWrites = fp<WriteOptions>(async (scope, { windows, limits, who }) => {
  const changes = { what: 'changes', window: quarterHour }
  const perAddress = { ...changes, name: 'writes-by-address', quota: limits.writesPerAddress }
  const perAccount = { ...changes, name: 'writes', quota: limits.writesPerAccount }
  scope.addHook('onRequest', async (request, reply) => {
    if (safeMethods.has(request.method)) return
    // The account first: whoever is over that limit uses up nothing of what others behind the address have.
    reply.headers(await windows.spend(perAccount, who(request).account))
    await windows.spend(perAddress, addressKey(request.client.ip))
  })
})
