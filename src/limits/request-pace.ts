import type { IncomingMessage } from 'node:http'
import { networkFactor } from './client-buckets.ts'
import { nextDueMs } from './leaky-bucket.ts'
import { recentMap } from './recent-map.ts'
import { requestClient } from './request-client.ts'

/** With the most connections that an address or network may have, none waits longer. */
const maxDelayMs = 1_000
const maxClients = 10_000

type Options = { perSecond: number; trustedProxies: readonly string[] }

/**
 * How long a request waits before anything but its headers has cost something, in milliseconds. An address may begin as many
 * at once as follow in a second; more wait, and none is refused. Whatever is asked for, also what no limit refuses: each
 * turn of the event loop serves what has arrived on all connections, and those of one address must not fill it.
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
  const lastMs = { address: recentMap<number>(maxClients), network: recentMap<number>(maxClients) }

  function delayMs(by: 'address' | 'network', key: string): number {
    const now = nowMs()
    const dueMs = nextDueMs(lastMs[by].get(key) ?? Number.NEGATIVE_INFINITY, now, paces[by])
    // Those that have left count, too: without a bound they would hold up the next client.
    lastMs[by].set(key, Math.min(dueMs, now + maxDelayMs))
    return Math.min(Math.max(0, dueMs - now), maxDelayMs)
  }

  return (request) => {
    const client = clientOf(request)
    return client ? Math.max(delayMs('address', client.address), delayMs('network', client.network)) : 0
  }
}
