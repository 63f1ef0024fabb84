import { setTimeout as sleep } from 'node:timers/promises'

const maxWaitMs = 1
/** Clients that write alone, or almost, must not wait for others. */
const minAnswered = 4
/** Clients that take longer to write again than this do not write in a closed loop. */
const maxReturnMs = 2

/**
 * Keeps clients that write one command after another in one batch: those that a batch has answered are about to send their
 * next commands, and with the first of them alone the next batch would make all others wait for one more commit.
 */
export function regroup() {
  let answered = { count: 0, expected: 0, at: Number.NEGATIVE_INFINITY }
  let waiting: { expected: number; end(): void } | undefined

  return {
    /** @param queued - the commands that wait already */
    answered(count: number, queued: number): void {
      answered = { count, expected: count + queued, at: performance.now() }
    },

    arrived(queued: number): void {
      if (waiting !== undefined && queued >= waiting.expected) waiting.end()
    },

    /** Waits for as many commands as there were, for 1 ms at most. */
    async wait(queued: number): Promise<void> {
      const { count, expected, at } = answered
      answered = { ...answered, count: 0 }
      if (count < minAnswered || queued >= expected || performance.now() - at > maxReturnMs) return
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting = { expected, end: resolve }
      await Promise.race([promise, sleep(maxWaitMs)])
      waiting = undefined
    },
  }
}
