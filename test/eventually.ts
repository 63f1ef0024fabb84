import { setTimeout as delay } from 'node:timers/promises'

/**
 * Repeats a check until it returns true.
 *
 * @param withinMs - when to give up: far more than a busy machine needs, so that only a hang fails.
 * @param everyMs - the pause between two checks.
 * @throws Error if the check has not returned true in time.
 */
export async function eventually(
  check: () => boolean | Promise<boolean>,
  { withinMs = 60_000, everyMs = 20 } = {},
): Promise<void> {
  for (const end = performance.now() + withinMs; !(await check()); await delay(everyMs)) {
    if (performance.now() > end) throw new Error(`still false after ${withinMs} ms: ${check}`)
  }
}
