import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Latencies are in milliseconds, null when no call of the action succeeded. */
export type StatsRow = {
  action: string
  count: number
  errors: number
  retries: number
  p50: number | null
  p95: number | null
  p99: number | null
}

/** A reason for retries or failures, such as `503 overloaded` or `ECONNRESET`, with its count. */
export type CauseCount = { action: string; cause: string; count: number }

type ActionStats = { count: number; errors: number; retries: number; latencyMicros: RecordableHistogram }

/** Counts calls, retries and failures by action. HDR histograms keep latencies to three figures in bounded memory. */
export class Stats {
  #actions = new Map<string, ActionStats>()
  #retries = new Map<string, CauseCount>()
  #failures = new Map<string, CauseCount>()

  /** `ms` is the latency of the successful attempt alone, without earlier attempts and delays. */
  recordSuccess(action: string, ms: number): void {
    const stats = this.#statsOf(action)
    stats.count += 1
    stats.latencyMicros.record(Math.max(1, Math.round(ms * 1000)))
  }

  recordRetry(action: string, cause: string): void {
    this.#statsOf(action).retries += 1
    increment(this.#retries, action, cause)
  }

  recordFailure(action: string, cause: string): void {
    this.#statsOf(action).errors += 1
    increment(this.#failures, action, cause)
  }

  rows(): StatsRow[] {
    return [...this.#actions].map(([action, { latencyMicros, ...counts }]) => {
      const percentile = (percent: number) => (counts.count === 0 ? null : latencyMicros.percentile(percent) / 1000)
      return { action, ...counts, p50: percentile(50), p95: percentile(95), p99: percentile(99) }
    })
  }

  retries(): CauseCount[] {
    return [...this.#retries.values()]
  }

  failures(): CauseCount[] {
    return [...this.#failures.values()]
  }

  #statsOf(action: string): ActionStats {
    const stats = this.#actions.get(action) ?? { count: 0, errors: 0, retries: 0, latencyMicros: createHistogram() }
    this.#actions.set(action, stats)
    return stats
  }
}

function increment(causes: Map<string, CauseCount>, action: string, cause: string): void {
  const entry = causes.get(`${action}: ${cause}`) ?? { action, cause, count: 0 }
  entry.count += 1
  causes.set(`${action}: ${cause}`, entry)
}
