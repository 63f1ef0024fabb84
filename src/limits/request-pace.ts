import type { IncomingMessage } from 'node:http'
import { networkFactor } from './client-buckets.ts'
import { nextDueMs } from './leaky-bucket.ts'
import { recentMap } from './recent-map.ts'
import { requestClient } from './request-client.ts'

/** With the most connections that an address or network may have, none waits longer. */
const maxLightDelayMs = 1_000
/** Less than the 5 s in which the contract has every answer. */
const maxHeavyDelayMs = 4_000
/** Of headers. A browser sends half of it. */
const maxLightBytes = 4_096
/** Of the headers of a heavy request: as many count as one. */
const bytesOfOne = 512
/** What each header costs beside its text, as bytes. */
const bytesOfHeader = 40
const maxClients = 10_000

type Options = { perSecond: number; trustedProxies: readonly string[] }

/** As how many requests one counts, by its headers: Node reads each, and each session cookie among them is verified. */
function weightOf({ rawHeaders }: IncomingMessage): number {
  const bytes = rawHeaders.reduce((sum, { length }) => sum + length, (bytesOfHeader * rawHeaders.length) / 2)
  return bytes <= maxLightBytes ? 1 : bytes / bytesOfOne
}

/**
 * How long a request waits before anything but its headers has cost something, in milliseconds. An address may begin as many
 * at once as follow in a second; more wait, and none is refused. Whatever is asked for, also what no limit refuses: each
 * turn of the event loop serves what has arrived on all connections, and those of one address must not fill it. Requests
 * with long headers wait only for each other, and longer.
 */
export function requestPace(
  { perSecond, trustedProxies }: Options,
  nowMs: () => number = () => performance.now(),
): (request: IncomingMessage) => number {
  const clientOf = requestClient(trustedProxies)
  const paces = {
    address: { perSecond, burst: perSecond },
    network: { perSecond: perSecond * networkFactor, burst: perSecond * networkFactor },
  }
  const lane = () => ({ address: recentMap<number>(maxClients), network: recentMap<number>(maxClients) })
  const [light, heavy] = [lane(), lane()]

  return (request) => {
    const client = clientOf(request)
    if (!client) return 0
    const weight = weightOf(request)
    const [lastMs, maxDelayMs] = weight === 1 ? [light, maxLightDelayMs] : [heavy, maxHeavyDelayMs]
    const now = nowMs()
    const delayMs = (by: 'address' | 'network') => {
      const last = lastMs[by].get(client[by]) ?? Number.NEGATIVE_INFINITY
      // Those that have left count, too: without a bound they would hold up the next client.
      const dueMs = Math.min(nextDueMs(last, now, paces[by], weight), now + maxDelayMs)
      lastMs[by].set(client[by], dueMs)
      return Math.max(0, dueMs - now)
    }
    return Math.max(delayMs('address'), delayMs('network'))
  }
}
