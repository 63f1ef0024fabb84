const intervalMs = 60_000

/** Calls `report` at most once a minute, with the number of events since its last call and what the latest event said. */
export function sampled<Details extends unknown[]>(
  report: (events: number, ...latest: Details) => void,
  nowMs: () => number = () => performance.now(),
): (...details: Details) => void {
  let events = 0
  let nextMs = Number.NEGATIVE_INFINITY
  return (...details) => {
    events += 1
    if (nowMs() < nextMs) return
    nextMs = nowMs() + intervalMs
    report(events, ...details)
    events = 0
  }
}
