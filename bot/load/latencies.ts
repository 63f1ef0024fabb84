import { createHistogram } from 'node:perf_hooks'

/** Milliseconds, null without samples; p99 is null below 100 samples, which do not hold one in a hundred. */
export type LatencySummary = { p50: number | null; p90: number | null; p99: number | null; max: number | null }

const minSamplesOfP99 = 100
const micros = 1_000
const highestMicros = 3_600_000_000

/** An HDR histogram of latencies: three figures, up to an hour, in bounded memory. */
export class Latencies {
  #histogram = createHistogram({ lowest: 1, highest: highestMicros, figures: 3 })

  get count(): number {
    return this.#histogram.count
  }

  /** Latencies under a microsecond count as one, those over an hour as an hour. */
  record(ms: number): void {
    this.#histogram.record(Math.min(highestMicros, Math.max(1, Math.round(ms * micros))))
  }

  /** Milliseconds, or null without samples. */
  percentile(percent: number): number | null {
    return this.count === 0 ? null : this.#histogram.percentile(percent) / micros
  }

  summary(): LatencySummary {
    return {
      p50: this.percentile(50),
      p90: this.percentile(90),
      p99: this.count < minSamplesOfP99 ? null : this.percentile(99),
      max: this.count === 0 ? null : this.#histogram.max / micros,
    }
  }

  reset(): void {
    this.#histogram.reset()
  }
}
