import { setTimeout as sleep } from 'node:timers/promises'

/**
 * The open model: arrivals on a clock, which slow answers do not delay. Resolves when the next arrival is due, at once if it
 * is overdue, to the time at which it was due. During the ramp the rate grows evenly from 0.
 */
export function arrivals(
  { ratePerSecond, rampMs }: { ratePerSecond: number; rampMs: number },
  now: () => number = () => performance.now(),
  wait: (ms: number) => Promise<unknown> = sleep,
): () => Promise<number> {
  const startedAt = now()
  const perMs = ratePerSecond / 1_000
  const duringRamp = (perMs * rampMs) / 2
  let count = 0
  return async () => {
    const nth = count
    count += 1
    const afterMs = nth < duringRamp ? Math.sqrt((2 * nth * rampMs) / perMs) : rampMs + (nth - duringRamp) / perMs
    const due = startedAt + afterMs
    if (due > now()) await wait(due - now())
    return due
  }
}
