import type { Value } from '../history/operation.ts'
import type { Register } from './register.ts'

type Condition = { register: Register; holds: (value: Value) => boolean }

/** An item of a collection: in it while each of its conditions holds, each of which is about one register. */
export class Member {
  readonly key: string
  /** Its position in lists that are ordered by it; null until it is known. */
  position: { at: string; id: string } | null = null
  #conditions: readonly Condition[]
  #collections: readonly Collection[]
  #isDefinite = false
  #isPossible = false
  /** Since when it has been in, or out, without doubt. */
  #since = Number.NEGATIVE_INFINITY

  constructor(key: string, conditions: readonly Condition[], collections: readonly Collection[]) {
    this.key = key
    this.#conditions = conditions
    this.#collections = collections
    for (const collection of collections) collection.members.set(key, this)
  }

  /** Whether it has been in at every moment since `from`. */
  isInSince(from: number): boolean {
    return this.#isDefinite && this.#since <= from
  }

  /** Whether it has been out at every moment since `from`. */
  isOutSince(from: number): boolean {
    return !this.#isPossible && this.#since < from
  }

  /** What it adds to a collection's size: at least, and at most. */
  get weight(): { definite: number; possible: number } {
    return { definite: Number(this.#isDefinite), possible: Number(this.#isPossible) }
  }

  /** Call it when a register of a condition has changed. No read in flight was sent before `earliest`. */
  update(now: number, earliest: number): void {
    const values = this.#conditions.map(({ register, holds }) => register.possibleValues().map(holds))
    const isDefinite = values.every((held) => held.every(Boolean))
    const isPossible = values.every((held) => held.some(Boolean))
    if (isDefinite === this.#isDefinite && isPossible === this.#isPossible) return
    const before = this.weight
    this.#isDefinite = isDefinite
    this.#isPossible = isPossible
    this.#since = now
    for (const collection of this.#collections) collection.step(now, before, this.weight, earliest)
  }
}

type Weight = Member['weight']
type Step = Weight & { at: number }

/** A member's weight while a write of it was in progress, and at its end. */
export type OwnWrite = { pending: Weight; done: Weight; sentAt: number; answeredAt: number }

const maxStepsKept = 32

/** Its size is known as two step functions over time: what is in without doubt, and what may be in. */
export class Collection {
  readonly members = new Map<string, Member>()
  #steps: Step[] = [{ at: Number.NEGATIVE_INFINITY, definite: 0, possible: 0 }]

  step(at: number, before: Weight, after: Weight, earliest: number): void {
    const last = this.#steps.at(-1)
    if (!last) return
    const definite = last.definite + after.definite - before.definite
    this.#steps.push({ at, definite, possible: last.possible + after.possible - before.possible })
    if (this.#steps.length > maxStepsKept) this.#forget(earliest)
  }

  /** The smallest and the largest size that it may have had at some moment since `from`. */
  sizesSince(from: number): { least: number; most: number } {
    return this.#sizes(from, (step) => step)
  }

  /** The sizes that the answer to a write may count, as it counts what it has just written. */
  sizesAfter({ pending, done, sentAt, answeredAt }: OwnWrite): { least: number; most: number } {
    return this.#sizes(sentAt, (step) => {
      if (step.at >= answeredAt) return step
      const definite = step.definite + done.definite - pending.definite
      return { at: step.at, definite, possible: step.possible + done.possible - pending.possible }
    })
  }

  #sizes(from: number, weigh: (step: Step) => Step): { least: number; most: number } {
    let least = Number.POSITIVE_INFINITY
    let most = 0
    for (let n = this.#steps.length - 1; n >= 0; n -= 1) {
      const step = this.#steps[n]
      if (!step) break
      const { definite, possible } = weigh(step)
      least = Math.min(least, definite)
      most = Math.max(most, possible)
      if (step.at <= from) break
    }
    return { least, most }
  }

  #forget(earliest: number): void {
    const needed = this.#steps.findLastIndex(({ at }) => at <= earliest)
    if (needed > 0) this.#steps.splice(0, needed)
  }
}
