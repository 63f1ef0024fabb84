import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { networkKey } from '../http/client-address.ts'
import { untilAnswered, withoutDeadline } from '../http/deadline.ts'
import { sendProblem } from '../http/errors.ts'
import { Problem } from '../http/problems.ts'
import { recentMap } from './recent-map.ts'

/** Refusals that a network gets at once. */
const burst = 100
/** What it then gets, evenly spaced. */
const perSecond = 20
/** So that every answer comes within the 5 s of the contract. */
const maxDelayMs = 4_000
const maxNetworks = 10_000

/** For how long a network's refusals are held back (the leaky bucket as a meter: GCRA, ITU-T I.371). */
export function refusalPace(
  nowMs: () => number = () => performance.now(),
  random: () => number = Math.random,
): (network: string) => number {
  const intervalMs = 1_000 / perSecond
  const lastMs = recentMap<number>(maxNetworks)
  return (network) => {
    const now = nowMs()
    const nextMs = Math.max(lastMs.get(network) ?? Number.NEGATIVE_INFINITY, now - burst * intervalMs) + intervalMs
    const delayMs = nextMs - now
    lastMs.set(network, Math.min(nextMs, now + maxDelayMs))
    if (delayMs <= maxDelayMs) return Math.max(0, delayMs)
    // Spread, or all of them would return at the same moment.
    return maxDelayMs * (1 - random() / 2)
  }
}

const isRefusal = (error: unknown): error is Problem =>
  error instanceof Problem && (error.code === 'rate-limited' || error.code === 'overloaded')

/**
 * Holds back the 429 and `overloaded` of a network that causes many: a client that is refused at once is back at once, and
 * 150 connections that repeat refused logins would take all of the process's time from others.
 */
export const paceRefusals = fp(async (scope) => {
  const delayMsOf = refusalPace()
  const closing = new AbortController()
  scope.addHook('preClose', async () => closing.abort())

  async function waitOut(request: FastifyRequest, reply: Parameters<typeof untilAnswered>[0]): Promise<void> {
    const delayMs = delayMsOf(networkKey(request.client.ip))
    if (delayMs === 0) return
    const signal = AbortSignal.any([untilAnswered(reply), closing.signal])
    const delay = sleep(delayMs, undefined, { signal, ref: false })
    await withoutDeadline(request, reply, () => delay.catch(() => undefined))
  }

  scope.setErrorHandler(async (error, request, reply) => {
    if (isRefusal(error)) await waitOut(request, reply)
    return sendProblem(error, request, reply)
  })
})
