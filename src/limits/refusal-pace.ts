import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { networkKey } from '../http/client-address.ts'
import { untilAnswered, withoutDeadline } from '../http/deadline.ts'
import { sendProblem } from '../http/errors.ts'
import { Problem } from '../http/problems.ts'
import { nextDueMs, type Pace } from './leaky-bucket.ts'
import { recentMap } from './recent-map.ts'

const ofNetwork: Pace = { burst: 30, perSecond: 20 }
/** A flood from many networks would otherwise have the allowances of all of them. */
const ofAll: Pace = { burst: 200, perSecond: 100 }
/** So that every answer comes within the 5 s of the contract. */
const maxDelayMs = 4_000
const maxNetworks = 10_000

/** For how long a network's refusals are held back, in milliseconds: its own pace or that of all, whichever is slower. */
export function refusalPace(
  nowMs: () => number = () => performance.now(),
  random: () => number = Math.random,
): (network: string) => number {
  const lastMs = recentMap<number>(maxNetworks)
  let lastOfAllMs = Number.NEGATIVE_INFINITY
  return (network) => {
    const now = nowMs()
    const dueMs = nextDueMs(lastMs.get(network) ?? Number.NEGATIVE_INFINITY, now, ofNetwork)
    const dueOfAllMs = nextDueMs(lastOfAllMs, now, ofAll)
    const latestMs = now + maxDelayMs
    lastMs.set(network, Math.min(dueMs, latestMs))
    lastOfAllMs = Math.min(dueOfAllMs, latestMs)
    const delayMs = Math.max(dueMs, dueOfAllMs) - now
    if (delayMs <= maxDelayMs) return Math.max(0, delayMs)
    // Spread, or all of them would return at the same moment.
    return maxDelayMs * (1 - random() / 2)
  }
}

export type RefusalPace = ReturnType<typeof refusalPace>

const isRefusal = (error: unknown): error is Problem =>
  error instanceof Problem && (error.code === 'rate-limited' || error.code === 'overloaded')

/** Holds refusals back: a client that is refused at once is back at once, and 150 connections would take all CPU time. */
export const paceRefusals = fp<{ refusalPace: RefusalPace }>(async (scope, { refusalPace: delayMsOf }) => {
  const closing = new AbortController()
  scope.addHook('preClose', async () => closing.abort())

  async function waitOut(request: FastifyRequest, reply: Parameters<typeof untilAnswered>[0]): Promise<void> {
    const delayMs = delayMsOf(networkKey(request.client.ip))
    if (delayMs === 0) return
    scope.leaveRoom(request)
    const signal = AbortSignal.any([untilAnswered(reply), closing.signal])
    const delay = sleep(delayMs, undefined, { signal, ref: false })
    await withoutDeadline(request, reply, () => delay.catch(() => undefined))
  }

  scope.setErrorHandler(async (error, request, reply) => {
    if (isRefusal(error)) await waitOut(request, reply)
    return sendProblem(error, request, reply)
  })
})
