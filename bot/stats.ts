import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** One line of the table; times in milliseconds, null when nothing was answered. */
export type Row = {
  action: string
  count: number
  errors: number
  retries: number
  p50: number | null
  p95: number | null
  p99: number | null
}

/** Why something was repeated or failed, and how often: `503 overloaded`, `ECONNRESET`. */
export type Cause = { action: string; cause: string; times: number }

type Line = { count: number; errors: number; retries: number; micros: RecordableHistogram }

/** Counts what happened, by action, in bounded memory: times are kept to three figures (an HDR histogram), not one by one. */
export class Stats {
  #lines = new Map<string, Line>()
  #retries = new Map<string, Cause>()
  #failures = new Map<string, Cause>()

  /** An action that the server answered as it should; `ms` is the time of the answered attempt, without earlier waits. */
  recordSuccess(action: string, ms: number): void {
    const line = this.#line(action)
    line.count += 1
    line.micros.record(Math.max(1, Math.round(ms * 1000)))
  }

  recordRetry(action: string, cause: string): void {
    this.#line(action).retries += 1
    add(this.#retries, action, cause)
  }

  recordFailure(action: string, cause: string): void {
    this.#line(action).errors += 1
    add(this.#failures, action, cause)
  }

  rows(): Row[] {
    return [...this.#lines].map(([action, { micros, ...counts }]) => {
      const at = (percent: number) => (counts.count === 0 ? null : micros.percentile(percent) / 1000)
      return { action, ...counts, p50: at(50), p95: at(95), p99: at(99) }
    })
  }

  retries(): Cause[] {
    return [...this.#retries.values()]
  }

  failures(): Cause[] {
    return [...this.#failures.values()]
  }

  #line(action: string): Line {
    const line = this.#lines.get(action) ?? { count: 0, errors: 0, retries: 0, micros: createHistogram() }
    this.#lines.set(action, line)
    return line
  }
}

function add(causes: Map<string, Cause>, action: string, cause: string): void {
  const entry = causes.get(`${action}: ${cause}`) ?? { action, cause, times: 0 }
  entry.times += 1
  causes.set(`${action}: ${cause}`, entry)
}
