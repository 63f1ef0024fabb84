import type { Observation } from '../history/operation.ts'
import { ActionCounter, type ActionFigures, windowSeconds } from './action-figures.ts'
import { measureOwnLoad, type OwnLoad } from './own-load.ts'
import { type Second, Series } from './series.ts'
import { type Silence, SilenceWatch } from './silence.ts'
import { invalidReasons } from './validity.ts'

/** What is measured of an operation. Times are milliseconds of performance.now(). */
export type MeasuredOperation = {
  action: string
  intended: number
  sent: number
  attempt: number
  answered: number | null
  status: number | null
  cause: string
  /** What the bot did wrong on purpose: it is counted, and not measured. */
  fault?: string
}

/** Errors of an action with one cause, such as `503 overloaded` or `ECONNRESET`. */
export type ErrorCount = { action: string; cause: string; count: number }

export type Figures = {
  seconds: number
  total: ActionFigures
  actions: ({ action: string } & ActionFigures)[]
  errors: ErrorCount[]
  series: Second[]
  silences: Silence[]
  faults: Record<string, number>
  arrivals: number
  late: number
  loopDelayP99: number
  invalid: string[]
}

const lateMs = 10

/**
 * Listens to a history of operations, each attempt being one, and keeps the figures of those that begin within the
 * measured time. Memory does not depend on the number of operations.
 */
export class Measurements {
  readonly silence: SilenceWatch
  /** Whether what a register says to exist may have been deleted by now: then a 404 is no error. */
  mayBeGone: (register: string) => boolean = () => false
  #now: () => number
  #ownLoad: OwnLoad
  #startedAt: number
  #stoppedAt: number | null = null
  #series: Series
  #total = new ActionCounter()
  #actions = new Map<string, ActionCounter>()
  #errors = new Map<string, ErrorCount>()
  #faults = new Map<string, number>()
  #arrivals = 0
  #late = 0
  #inFlight = 0

  constructor(now: () => number = () => performance.now(), ownLoad: OwnLoad = measureOwnLoad()) {
    this.#now = now
    this.#ownLoad = ownLoad
    this.#startedAt = now()
    this.#series = this.#newSeries()
    this.silence = new SilenceWatch(this.#startedAt)
  }

  /** Begins the measured time, as after a ramp: forgets the figures so far. After its end it does nothing. */
  start(at = this.#now()): void {
    if (this.#stoppedAt !== null) return
    this.#startedAt = at
    this.#ownLoad.reset()
    this.#series = this.#newSeries()
    this.#total = new ActionCounter()
    this.#actions.clear()
    this.#errors.clear()
    this.#arrivals = this.#late = 0
  }

  /** Ends the measured time: operations that begin later do not count. */
  stop(): void {
    if (this.#stoppedAt !== null) return
    this.tick()
    this.#stoppedAt = this.#now()
    this.#ownLoad.stop()
  }

  /** An arrival of the open model, whose work the bot began at `startedAt`. */
  arrived(intended: number, startedAt: number): void {
    if (!this.#isMeasured(intended)) return
    const isLate = startedAt - intended > lateMs
    this.#arrivals += 1
    if (isLate) this.#late += 1
    this.#series.arrived(startedAt, isLate)
  }

  begin({
    action,
    intended,
    sent,
    attempt,
    fault,
  }: Pick<MeasuredOperation, 'action' | 'intended' | 'sent' | 'attempt' | 'fault'>): void {
    this.#inFlight += 1
    this.silence.asked(sent)
    if (fault !== undefined) this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
    if (attempt > 1 && this.#isMeasured(intended)) for (const counter of this.#countersOf(action)) counter.retries += 1
  }

  /**
   * An operation that was answered, or given up: then its status is null. An observation with the claim N says that the
   * answer had to be a refusal.
   */
  end(operation: MeasuredOperation, observations: readonly Observation[] = []): void {
    const { action, intended, sent, answered, status, cause, fault } = operation
    this.#inFlight -= 1
    const at = answered ?? this.#now()
    const isAnswered = status !== null
    if (isAnswered) this.silence.answered(at, this.#inFlight)
    if (fault !== undefined || !this.#isMeasured(intended)) return
    const isRefused = isAnswered && status >= 400 && observations.some(hadToBeRefused)
    const isSuccess = isAnswered && status < 400
    const isGone =
      isAnswered && status >= 400 && observations.some((one) => saysGone(one) && this.mayBeGone(one.register))
    const isError = !isRefused && !isSuccess && !isGone
    const latencyMs = isSuccess ? at - intended : null
    for (const counter of this.#countersOf(action)) {
      if (isRefused) counter.refused += 1
      if (isGone) counter.gone += 1
      if (isError) counter.errors += 1
      if (latencyMs !== null) counter.succeeded(latencyMs, at - sent, this.#windowAt(at))
    }
    if (isError) this.#addError(action, cause)
    this.#series.ended(at, { isAnswered, isError, latencyMs })
  }

  /** Call it at least once a second, so that seconds without any answer are part of the series. */
  tick(): void {
    if (this.#stoppedAt === null) this.#series.advance(this.#now())
  }

  figures(): Figures {
    const end = this.#stoppedAt ?? this.#now()
    const seconds = (end - this.#startedAt) / 1000
    for (const counter of [this.#total, ...this.#actions.values()]) counter.advance(this.#windowAt(end))
    const total = this.#total.figures(seconds)
    const loopDelayP99 = this.#ownLoad.loopDelayP99()
    const self = { arrivals: this.#arrivals, late: this.#late, loopDelayP99 }
    const series = this.#series.seconds
    return {
      seconds,
      total,
      actions: [...this.#actions].map(([action, counter]) => ({ action, ...counter.figures(seconds) })),
      errors: [...this.#errors.values()],
      series,
      silences: this.silence.silences,
      faults: Object.fromEntries(this.#faults),
      ...self,
      invalid: invalidReasons({ ...self, p50: total.latency.p50, p99: total.latency.p99, seconds: series }),
    }
  }

  /** The second that ended last, and the causes of errors so far, for a display. */
  get latest(): { second: Second | undefined; errors: ErrorCount[]; series: readonly Second[] } {
    return { second: this.#series.seconds.at(-1), errors: [...this.#errors.values()], series: this.#series.seconds }
  }

  #newSeries(): Series {
    return new Series(this.#startedAt, this.#ownLoad, () => this.#inFlight)
  }

  #isMeasured(intended: number): boolean {
    return intended >= this.#startedAt && (this.#stoppedAt === null || intended <= this.#stoppedAt)
  }

  #windowAt(time: number): number {
    return Math.floor((time - this.#startedAt) / 1000 / windowSeconds)
  }

  #countersOf(action: string): ActionCounter[] {
    const counter = this.#actions.get(action) ?? new ActionCounter()
    this.#actions.set(action, counter)
    return [counter, this.#total]
  }

  #addError(action: string, cause: string): void {
    const entry = this.#errors.get(`${action}: ${cause}`) ?? { action, cause, count: 0 }
    entry.count += 1
    this.#errors.set(`${action}: ${cause}`, entry)
  }
}

const hadToBeRefused = (observation: Observation): boolean => 'claim' in observation && observation.claim === 'N'

const saysGone = (observation: Observation): observation is { register: string; value: false } =>
  'register' in observation && observation.value === false
