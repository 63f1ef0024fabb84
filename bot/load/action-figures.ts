import { Latencies, type LatencySummary } from './latencies.ts'

/** Five seconds of one action: what `compare` takes as one sample. Latencies are milliseconds. */
export type Window = { count: number; p50: number | null; p99: number | null }

/**
 * One action's figures. `latency` runs from the intended start (open model) or the decision to send (closed model), with
 * retries and the bot's own queue; `service` from the sending of the request that was answered. Both are those of
 * requests that succeeded. `refused` counts answers that had to be refusals, `gone` those that what may have been deleted is not
 * there, `retries` repeated attempts.
 */
export type ActionFigures = {
  count: number
  perSecond: number
  errors: number
  refused: number
  gone: number
  retries: number
  latency: LatencySummary
  service: LatencySummary
  /** Pairs of a percentile and its latency in milliseconds. */
  percentiles: [number, number][]
  windows: Window[]
}

export const windowSeconds = 5
const percentiles = [1, 10, 25, 50, 75, 90, 95, 99, 99.9, 100]

export class ActionCounter {
  errors = 0
  refused = 0
  gone = 0
  retries = 0
  #latency = new Latencies()
  #service = new Latencies()
  #window = new Latencies()
  #windows: Window[] = []

  /** `window` is the number of the window since the start in which the request was answered. */
  succeeded(latencyMs: number, serviceMs: number, window: number): void {
    this.advance(window)
    this.#latency.record(latencyMs)
    this.#service.record(serviceMs)
    this.#window.record(latencyMs)
  }

  /** Ends the windows before `window`. */
  advance(window: number): void {
    while (this.#windows.length < window) {
      const { p50, p99 } = this.#window.summary()
      this.#windows.push({ count: this.#window.count, p50, p99 })
      this.#window.reset()
    }
  }

  figures(seconds: number): ActionFigures {
    const latency = this.#latency
    return {
      count: latency.count,
      perSecond: seconds > 0 ? latency.count / seconds : 0,
      errors: this.errors,
      refused: this.refused,
      gone: this.gone,
      retries: this.retries,
      latency: latency.summary(),
      service: this.#service.summary(),
      percentiles: percentiles.flatMap((percent): [number, number][] => {
        const ms = latency.percentile(percent)
        return ms === null ? [] : [[percent, ms]]
      }),
      windows: this.#windows,
    }
  }
}
