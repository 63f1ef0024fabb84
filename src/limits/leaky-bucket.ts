/** What happens at once, and how much a second then follows, evenly spaced. */
export type Pace = { burst: number; perSecond: number }

/**
 * When the next is due (the leaky bucket as a meter: GCRA, ITU-T I.371). All times in milliseconds.
 * @param weight - as how many it counts
 */
export function nextDueMs(lastMs: number, nowMs: number, { burst, perSecond }: Pace, weight = 1): number {
  const intervalMs = 1_000 / perSecond
  return Math.max(lastMs, nowMs - burst * intervalMs) + weight * intervalMs
}
