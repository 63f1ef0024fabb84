/** What happens at once, and how much a second then follows, evenly spaced. */
export type Pace = { burst: number; perSecond: number }

/** When the next is due (the leaky bucket as a meter: GCRA, ITU-T I.371). All times in milliseconds. */
export function nextDueMs(lastMs: number, nowMs: number, { burst, perSecond }: Pace): number {
  const intervalMs = 1_000 / perSecond
  return Math.max(lastMs, nowMs - burst * intervalMs) + intervalMs
}
