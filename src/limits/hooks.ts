import type { FastifyRequest, onRequestAsyncHookHandler, onSendAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { addressKey } from '../http/client-address.ts'
import { safeMethods } from '../http/origin.ts'
import type { FixedWindow, Reservation } from './fixed-window.ts'
import { type Limit, quarterHour } from './headers.ts'
import { releaseSoon } from './release.ts'

/**
 * Route hooks that limit, by client address, how often a route creates something. Capacity is reserved before any
 * costly work, and released when nothing was created.
 */
export function limitHooks(fixedWindow: FixedWindow, limit: Limit) {
  const reservations = new WeakMap<object, Reservation & { consumed: boolean }>()
  const onRequest: onRequestAsyncHookHandler = async (request, reply) => {
    const reservation = await fixedWindow.acquire(limit, addressKey(request.client.ip))
    reservations.set(request, { ...reservation, consumed: false })
    reply.headers(reservation.headers)
  }
  // onResponse would miss clients that have hung up.
  const onSend: onSendAsyncHookHandler = async (request, reply) => {
    const reservation = reservations.get(request)
    if (reservation === undefined || reply.statusCode === 201) return
    if (reservation.consumed && reply.statusCode < 500) return
    reservations.delete(request)
    await releaseSoon(reservation.release, request.log)
  }
  /** Makes the reservation count even if nothing is created: for requests that have caused costly work. */
  const consume = (request: FastifyRequest) => {
    const reservation = reservations.get(request)
    if (reservation) reservation.consumed = true
  }
  return { onRequest, onSend, consume }
}

type WriteOptions = {
  fixedWindow: FixedWindow
  limits: { writesPerAccount: number; writesPerAddress: number }
  viewerOf: (request: FastifyRequest) => { account: string }
}

/** Limits changes by account and by address; the headers tell the account's limit. */
export const limitWrites = fp<WriteOptions>(async (scope, { fixedWindow, limits, viewerOf }) => {
  const changes = { what: 'changes', window: quarterHour }
  const perAddress = { ...changes, name: 'writes-by-address', quota: limits.writesPerAddress }
  const perAccount = { ...changes, name: 'writes', quota: limits.writesPerAccount }
  scope.addHook('onRequest', async (request, reply) => {
    if (safeMethods.has(request.method)) return
    // The account first: one over its limit must not use up the quota of others behind the same address.
    reply.headers(await fixedWindow.consume(perAccount, viewerOf(request).account))
    await fixedWindow.consume(perAddress, addressKey(request.client.ip))
  })
})
