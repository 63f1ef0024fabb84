import { setTimeout as sleep } from 'node:timers/promises'

const refreshWaitMs = 3_000

/** Waits for `refresh`, which never rejects, for 3 s at most; concurrent callers share one wait. */
export function boundedWait(refresh: () => Promise<void>): () => Promise<void> {
  let waiting: Promise<void> | undefined

  async function wait(): Promise<void> {
    const timer = new AbortController()
    const timeout = sleep(refreshWaitMs, undefined, { signal: timer.signal }).catch(() => undefined)
    await Promise.race([refresh(), timeout])
    timer.abort()
    waiting = undefined
  }

  return () => {
    waiting ??= wait()
    return waiting
  }
}
