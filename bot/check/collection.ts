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
    const values = this.#conditions.map(({ register, holds }) => register.valuesForOthers().map(holds))
    const isDefinite = values.every((held) => held.every(Boolean))
    const isPossible = values.every((held) => held.some(Boolean))
    if (isDefinite === this.#isDefinite && isPossible === this.#isPossible) return
    const before = this.weight
    this.#isDefinite = isDefinite
    this.#isPossible = isPossible
    this.#since = now
    for (const collection of this.#collections) collection.step(now, this, before, earliest)
  }
}

type Weight = Member['weight']
/** `by` is the member whose weight changed, from `before`. */
type Step = Weight & { at: number; by: Member | null; before: Weight }

const noWeight: Weight = { definite: 0, possible: 0 }
const maxStepsKept = 32

/** Its size is known as two step functions over time: what is in without doubt, and what may be in. */
export class Collection {
  readonly members = new Map<string, Member>()
  #steps: Step[] = [{ at: Number.NEGATIVE_INFINITY, by: null, before: noWeight, ...noWeight }]

  step(at: number, by: Member, before: Weight, earliest: number): void {
    const last = this.#steps.at(-1)
    if (!last) return
    const definite = last.definite + by.weight.definite - before.definite
    this.#steps.push({ at, by, before, definite, possible: last.possible + by.weight.possible - before.possible })
    if (this.#steps.length > maxStepsKept) this.#forget(earliest)
  }

  /**
   * The smallest and the largest size that it may have had at some moment since `from`. With `own`, only moments count at
   * which that member had its present weight: the answer to a write counts what it has just written.
   */
  sizesSince(from: number, own?: Member): { least: number; most: number } {
    let [least, most] = [Number.POSITIVE_INFINITY, 0]
    let weight = own?.weight ?? noWeight
    const now = weight
    for (let n = this.#steps.length - 1; n >= 0; n -= 1) {
      const step = this.#steps[n]
      if (!step) break
      least = Math.min(least, step.definite - weight.definite + now.definite)
      most = Math.max(most, step.possible - weight.possible + now.possible)
      if (step.at <= from) break
      if (step.by === own) weight = step.before
    }
    return { least, most }
  }

  #forget(earliest: number): void {
    const needed = this.#steps.findLastIndex(({ at }) => at <= earliest)
    if (needed > 0) this.#steps.splice(0, needed)
  }
}
