/** A time in which requests waited and none was answered. `from` is seconds since the start. */
export type Silence = { from: number; seconds: number }

const minSilenceMs = 1_000

/** Tells how long requests have been waiting without any answer: a time in which nothing was asked is no silence. */
export class SilenceWatch {
  readonly silences: Silence[] = []
  #startedAt: number
  #askedAt: number | null = null

  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  asked(at: number): void {
    this.#askedAt ??= at
  }

  /** Requests that are still in flight count as asked now. */
  answered(at: number, inFlight = 0): void {
    if (this.#askedAt !== null && at - this.#askedAt >= minSilenceMs)
      this.silences.push({ from: (this.#askedAt - this.#startedAt) / 1000, seconds: (at - this.#askedAt) / 1000 })
    this.#askedAt = inFlight > 0 ? at : null
  }

  /** Milliseconds since the oldest request that no answer followed, 0 when there is none. */
  silentMs(now: number): number {
    return this.#askedAt === null ? 0 : Math.max(0, now - this.#askedAt)
  }
}
