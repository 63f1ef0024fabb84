/** A reason for retries or failures, such as `503 overloaded` or `ECONNRESET`, with its count. */
export type CauseCount = { action: string; cause: string; count: number }

type ActionStats = { action: string; count: number; errors: number; retries: number }

/** Counts calls, retries and failures by action. */
export class Stats {
  #actions = new Map<string, ActionStats>()
  #retries = new Map<string, CauseCount>()
  #failures = new Map<string, CauseCount>()

  recordSuccess(action: string): void {
    this.#statsOf(action).count += 1
  }

  recordRetry(action: string, cause: string): void {
    this.#statsOf(action).retries += 1
    increment(this.#retries, action, cause)
  }

  recordFailure(action: string, cause: string): void {
    this.#statsOf(action).errors += 1
    increment(this.#failures, action, cause)
  }

  rows(): readonly ActionStats[] {
    return [...this.#actions.values()]
  }

  retries(): CauseCount[] {
    return [...this.#retries.values()]
  }

  failures(): CauseCount[] {
    return [...this.#failures.values()]
  }

  #statsOf(action: string): ActionStats {
    const stats = this.#actions.get(action) ?? { action, count: 0, errors: 0, retries: 0 }
    this.#actions.set(action, stats)
    return stats
  }
}

function increment(causes: Map<string, CauseCount>, action: string, cause: string): void {
  const entry = causes.get(`${action}: ${cause}`) ?? { action, cause, count: 0 }
  entry.count += 1
  causes.set(`${action}: ${cause}`, entry)
}
