/** `rate` is arrivals a second after a ramp of `rampMs`, in which the rate grows from 0 in a straight line. */
export type ArrivalPlan = { rate: number; rampMs: number; forMs: number }

/** The granularity of timers: an arrival that starts within it is on time. */
const granularityMs = 1

/** When the arrival `index`, from 0, is due, in milliseconds since the start. */
export function dueAt({ rate, rampMs }: ArrivalPlan, index: number): number {
  const inRamp = (rate * rampMs) / 2000
  return index < inRamp ? Math.sqrt((2000 * index * rampMs) / rate) : rampMs + ((index - inRamp) * 1000) / rate
}

/**
 * Starts arrivals on a clock, however long the ones before take: an open model. `start` gets each arrival's intended
 * start. Resolves when the last has started or `stop` aborts.
 */
export function runArrivals(
  plan: ArrivalPlan,
  start: (intended: number, index: number) => void,
  stop: AbortSignal,
  now: () => number = () => performance.now(),
): Promise<void> {
  const startedAt = now()
  const end = plan.rampMs + plan.forMs
  let index = 0
  return new Promise((resolve) => {
    const arrive = () => {
      for (let elapsed = now() - startedAt; ; elapsed = now() - startedAt) {
        const due = dueAt(plan, index)
        if (due >= end || stop.aborted) return resolve()
        if (due > elapsed) return void setTimeout(arrive, due - elapsed)
        start(startedAt + Math.min(elapsed, due + granularityMs), index)
        index += 1
      }
    }
    arrive()
  })
}
