import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'

/** Work that may wait, done in the background. */
export type Sweeper = { wake(): void; close(): Promise<void> }

/** After a failure, in milliseconds. */
const pause = 1_000
/** In milliseconds: what a process that died has left is taken up so soon by another. */
const pollIntervalMs = 60_000

/**
 * Does all that there is to do: when it is woken, each minute, and again after a failure. What is to be done stands in
 * the database, so nothing is lost with a process; it must be such that several may do it at once.
 *
 * @param sweep - does all of it, and returns early when its signal is aborted.
 */
export function sweeper(sweep: (signal: AbortSignal) => Promise<void>, log: FastifyBaseLogger): Sweeper {
  const closing = new AbortController()
  let running: Promise<void> | undefined
  let pending = false

  async function run() {
    do {
      pending = false
      await sweep(closing.signal).catch(async (error) => {
        if (closing.signal.aborted) return
        log.warn({ err: error }, 'removing in the background failed: trying again')
        pending = true
        await sleep(pause, undefined, { signal: closing.signal }).catch(() => undefined)
      })
    } while (pending && !closing.signal.aborted)
    running = undefined
  }

  function wake() {
    if (closing.signal.aborted) return
    pending = true
    running ??= run()
  }

  const looking = setInterval(wake, pollIntervalMs).unref()
  return {
    wake,
    async close() {
      clearInterval(looking)
      closing.abort()
      await running
    },
  }
}
