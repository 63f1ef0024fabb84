import type { Random } from '../random.ts'
import { type ArrivalPlan, dueAt } from './arrivals.ts'

/** `activity` is a robot's share in the arrivals, relative to the others; `arrived` gets when one was due and has started. */
export type PaceOptions = {
  activity: (robot: number) => number
  random: Random
  arrived: (due: number, startedAt: number) => void
}

type Clock = { now: () => number; schedule: (act: () => void, ms: number) => () => void }
type Waiting = { robot: number; start: (due: number) => void }

const clock: Clock = {
  now: () => performance.now(),
  schedule: (act, ms) => {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
}
/** After the plan's end, for robots in the middle of something. */
const graceMs = 5_000

/**
 * The open model of a crowd: each request of the robots is an arrival, which a robot that waits begins when it is due; an
 * active robot more often than others. One for which no robot is free begins late, or never.
 */
export class Pace {
  #plan: ArrivalPlan
  #options: PaceOptions
  #clock: Clock
  #startedAt: number
  #count = 0
  #overdue: number[] = []
  #waiting: Waiting[] = []
  #cancel: () => void = () => {}
  #isOver = false

  constructor(plan: ArrivalPlan, options: PaceOptions, time: Clock = clock) {
    this.#plan = plan
    this.#options = options
    this.#clock = time
    this.#startedAt = time.now()
    this.#tick()
  }

  /** Resolves when the robot has an arrival to begin, to the time at which it was due. */
  next(robot: number): Promise<number> {
    if (this.#isOver) return Promise.resolve(this.#clock.now())
    this.#advance()
    const due = this.#overdue.shift()
    if (due !== undefined) return Promise.resolve(this.#begin(due))
    return new Promise((start) => this.#waiting.push({ robot, start }))
  }

  /** Lets all who wait begin at once. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancel()
    for (const due of this.#overdue) this.#begin(due)
    for (const { start } of this.#waiting) start(this.#clock.now())
  }

  #tick(): void {
    this.#advance()
    const { rampMs, forMs } = this.#plan
    const due = dueAt(this.#plan, this.#count)
    if (due > rampMs + forMs + graceMs) this.stop()
    else this.#cancel = this.#clock.schedule(() => this.#tick(), Math.max(0, this.#startedAt + due - this.#clock.now()))
  }

  #advance(): void {
    const end = this.#plan.rampMs + this.#plan.forMs
    for (; ; this.#count += 1) {
      const offset = dueAt(this.#plan, this.#count)
      const due = this.#startedAt + offset
      if (due > this.#clock.now() || offset > end + graceMs) return
      const robot = this.#takeWaiting()
      if (robot) robot.start(offset < end ? this.#begin(due) : due)
      else if (offset < end) this.#overdue.push(due)
    }
  }

  #begin(due: number): number {
    this.#options.arrived(due, this.#clock.now())
    return due
  }

  #takeWaiting(): Waiting | undefined {
    const { activity, random } = this.#options
    let chosen = random() * this.#waiting.reduce((sum, { robot }) => sum + activity(robot), 0)
    const at = this.#waiting.findIndex(({ robot }) => {
      chosen -= activity(robot)
      return chosen < 0
    })
    return this.#waiting.splice(at === -1 ? 0 : at, 1)[0]
  }
}
