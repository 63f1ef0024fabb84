import { setTimeout as delay } from 'node:timers/promises'

/**
 * Repeats a check until it comes true.
 *
 * @param within - after how many milliseconds it fails. It ends what would wait for ever, so it is far more than a busy
 * machine needs.
 * @param every - the pause between two checks, in milliseconds.
 * @throws Error when the check has not come true in time.
 */
export async function eventually(
  check: () => boolean | Promise<boolean>,
  { within = 60_000, every = 20 } = {},
): Promise<void> {
  for (const end = performance.now() + within; !(await check()); await delay(every)) {
    if (performance.now() > end) throw new Error(`it has not come true within ${within} ms: ${check}`)
  }
}
