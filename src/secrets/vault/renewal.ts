import { StartError } from '../../start-error.ts'

/** A TTL of 0 means that it does not expire. */
export type Lifetime = { ttlSeconds: number; renewable: boolean }

export type Renewal = {
  end(): void
  stop(): void
}

const repeatMs = 10_000
const retryMsMin = 1_000
/** Above it, setTimeout fires at once. */
const delayMsMax = 2 ** 31 - 1

/**
 * Renews a token or a lease at two thirds of its TTL, and retries while Vault is out of reach.
 * @param onEnding - called when it cannot be renewed any further, or when only a sixth of the first TTL is left; then
 * every 10 s until stopped, because what replaces it may fail too
 */
export function keepRenewed(first: Lifetime, renew: () => Promise<Lifetime>, onEnding: () => void): Renewal {
  const firstMs = first.ttlSeconds * 1_000
  let { renewable } = first
  let expiresAt = performance.now() + firstMs
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  function schedule(delayMs: number): void {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(renewOnce, Math.min(delayMs, delayMsMax)).unref()
  }

  async function renewOnce(): Promise<void> {
    if (!renewable || performance.now() > expiresAt) return giveWay()
    try {
      const next = await renew()
      renewable &&= next.renewable
      expiresAt = performance.now() + next.ttlSeconds * 1_000
      // Near the maximum TTL, Vault grants only what is left of it.
      if (next.ttlSeconds < first.ttlSeconds / 2) return giveWay()
      schedule((next.ttlSeconds * 1_000 * 2) / 3)
    } catch (error) {
      const remainingMs = expiresAt - performance.now()
      const isOutOfReach = error instanceof StartError && error.fault === 'out-of-reach'
      if (!isOutOfReach || remainingMs < firstMs / 6) return giveWay()
      schedule(Math.max(retryMsMin, Math.min(remainingMs / 4, repeatMs)))
    }
  }

  function giveWay(): void {
    if (stopped) return
    schedule(repeatMs)
    onEnding()
  }

  function end(): void {
    renewable = false
    giveWay()
  }

  function stop(): void {
    stopped = true
    clearTimeout(timer)
  }

  if (first.ttlSeconds > 0) schedule((firstMs * 2) / 3)
  return { end, stop }
}
