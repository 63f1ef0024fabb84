import { Latencies } from './latencies.ts'
import type { OwnLoad, OwnLoadSample } from './own-load.ts'

/** One second of a run. `second` counts from the start; latencies are milliseconds, null in a second without answers. */
export type Second = OwnLoadSample & {
  second: number
  requests: number
  errors: number
  p50: number | null
  p99: number | null
  max: number | null
  arrivals: number
  late: number
  inFlight: number
}

type Ended = { isAnswered: boolean; isError: boolean; latencyMs: number | null }

/** Builds the time series. Seconds end by the clock, so that one in which nothing happens is in it too. */
export class Series {
  readonly seconds: Second[] = []
  #startedAt: number
  #ownLoad: Pick<OwnLoad, 'sample'>
  #latencies = new Latencies()
  #counts = noCounts()
  #inFlight: () => number

  constructor(startedAt: number, ownLoad: Pick<OwnLoad, 'sample'>, inFlight: () => number) {
    this.#startedAt = startedAt
    this.#ownLoad = ownLoad
    this.#inFlight = inFlight
  }

  /** `latencyMs` is null for a request whose latency does not count: an error or a refusal. */
  ended(at: number, { isAnswered, isError, latencyMs }: Ended): void {
    this.advance(at)
    if (isAnswered) this.#counts.requests += 1
    if (isError) this.#counts.errors += 1
    if (latencyMs !== null) this.#latencies.record(latencyMs)
  }

  arrived(at: number, isLate: boolean): void {
    this.advance(at)
    this.#counts.arrivals += 1
    if (isLate) this.#counts.late += 1
  }

  /** Ends every second that lies before `now`. */
  advance(now: number): void {
    const current = Math.floor((now - this.#startedAt) / 1000)
    if (current <= this.seconds.length) return
    const own = this.#ownLoad.sample()
    while (this.seconds.length < current) this.#endSecond(own)
  }

  #endSecond(own: OwnLoadSample): void {
    const { count } = this.#latencies
    this.seconds.push({
      second: this.seconds.length,
      ...this.#counts,
      ...(count === 0 ? { p50: null, p99: null, max: null } : this.#percentiles()),
      inFlight: this.#inFlight(),
      ...own,
    })
    this.#latencies.reset()
    this.#counts = noCounts()
  }

  /** A second's p99 is drawn, not judged: with few samples it is the maximum. */
  #percentiles() {
    return {
      p50: this.#latencies.percentile(50),
      p99: this.#latencies.percentile(99),
      max: this.#latencies.summary().max,
    }
  }
}

const noCounts = () => ({ requests: 0, errors: 0, arrivals: 0, late: 0 })
