import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { NoteRefusal } from './access-refusals.ts'

export type Sweeper = { wake(): void; close(): Promise<void> }

/** For what another service sweeps. */
export const idleSweeper: Sweeper = { wake: () => undefined, close: async () => undefined }

const retryMs = 1_000
/** Bounds how long another process's unfinished sweep waits after a crash. */
const pollIntervalMs = 60_000

/** Sweeps when woken, every minute and after a failure. The tombstones are the queue, so a crash loses no work. */
export function sweeper(
  sweep: (signal: AbortSignal) => Promise<void>,
  log: FastifyBaseLogger,
  noteRefusal: NoteRefusal,
): Sweeper {
  const closing = new AbortController()
  let running: Promise<void> | undefined
  let pending = false

  async function run() {
    do {
      pending = false
      await sweep(closing.signal).catch(async (error) => {
        if (closing.signal.aborted) return
        if (!noteRefusal(error)) log.warn({ err: error }, 'background sweep failed, retrying')
        pending = true
        await sleep(retryMs, undefined, { signal: closing.signal }).catch(() => undefined)
      })
    } while (pending && !closing.signal.aborted)
    running = undefined
  }

  function wake() {
    if (closing.signal.aborted) return
    pending = true
    running ??= run()
  }

  const polling = setInterval(wake, pollIntervalMs).unref()
  return {
    wake,
    async close() {
      clearInterval(polling)
      closing.abort()
      await running
    },
  }
}
