import { recentMap } from './recent-map.ts'

/** How long they are remembered: what an operator or a success clears is open again by then. */
const maxAgeMs = 1_000
/** Fewer are looked up each time. */
const minRefusals = 5
const maxCounters = 10_000

type Refusals = { sinceMs: number; count: number; secondsUntilFree: number }

/** Counters that have just refused several requests: in a flood, a query for each refusal would cost more than all else. */
export function recentRefusals(nowMs: () => number = () => performance.now()) {
  const refusals = recentMap<Refusals>(maxCounters)

  function recent(key: string): Refusals | undefined {
    const found = refusals.get(key)
    return found && nowMs() - found.sinceMs < maxAgeMs ? found : undefined
  }

  return {
    note(key: string, secondsUntilFree: number): void {
      const { sinceMs, count } = recent(key) ?? { sinceMs: nowMs(), count: 0 }
      refusals.set(key, { sinceMs, count: count + 1, secondsUntilFree })
    },

    /** In seconds; undefined if the database must be asked. */
    secondsUntilFree(key: string): number | undefined {
      const found = recent(key)
      return found && found.count >= minRefusals ? found.secondsUntilFree : undefined
    },

    forget: (key: string): void => refusals.delete(key),
  }
}
