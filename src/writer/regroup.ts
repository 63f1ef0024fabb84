import { setTimeout as sleep } from 'node:timers/promises'

const maxWaitMs = 1
/** Clients that write alone, or almost, must not wait for others. */
const minAnswered = 4
/** Clients that take longer than this to send their next command are not waited for. */
const maxReturnMs = 2

/**
 * Keeps clients that send a command as soon as the one before is answered (a closed loop) in one batch. If the first of
 * them that is back started a batch alone, all others would wait for one more commit.
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

    /** Waits until as many commands are queued as before the last batch, for 1 ms at most. */
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
