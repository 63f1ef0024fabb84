import { overloaded } from '../http/problems.ts'
import { clientKeys, networkFactor } from '../limits/client-buckets.ts'
import { type Limit, rateLimited } from '../limits/headers.ts'

/** Of the 10,000 connections of a process: the others are for requests. */
const maxStreams = 5_000
const retrySeconds = 10

/** Bounds the streams that are open at a time: of one address, one network, and in this process. */
export function openStreams(perAddress: number) {
  const counts = new Map<string, number>()
  let open = 0

  const limitOf = (by: 'address' | 'network', quota: number): Limit => ({
    name: `streams-by-${by}`,
    description: 'streams',
    quota,
    windowSeconds: retrySeconds,
    detail: `At most ${quota} streams can be open at a time from one ${by}: close one first.`,
  })
  const limitsOf = (ip: string) => {
    const { address, network } = clientKeys(ip)
    return [
      { key: `address ${address}`, limit: limitOf('address', perAddress) },
      { key: `network ${network}`, limit: limitOf('network', perAddress * networkFactor) },
    ]
  }

  function add(key: string, difference: 1 | -1): void {
    const count = (counts.get(key) ?? 0) + difference
    if (count > 0) counts.set(key, count)
    else counts.delete(key)
  }

  /** Takes nothing. @throws Problem `rate-limited`, `overloaded` */
  function check(ip: string): void {
    for (const { key, limit } of limitsOf(ip)) {
      if ((counts.get(key) ?? 0) >= limit.quota) throw rateLimited(limit, retrySeconds)
    }
    if (open >= maxStreams) throw overloaded('reads', retrySeconds)
  }

  return {
    check,

    /** @returns what ends it, once. @throws Problem `rate-limited`, `overloaded` */
    acquire(ip: string): () => void {
      check(ip)
      const keys = limitsOf(ip).map(({ key }) => key)
      for (const key of keys) add(key, 1)
      open += 1
      let isReleased = false
      return () => {
        if (isReleased) return
        isReleased = true
        open -= 1
        for (const key of keys) add(key, -1)
      }
    },
  }
}
