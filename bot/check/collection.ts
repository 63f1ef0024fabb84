import type { Value } from '../history/operation.ts'
import type { Register } from './register.ts'

type Condition = { register: Register; holds: (value: Value) => boolean }

/** What a member adds to a collection's size: at least, and at most. */
type Weight = { definite: number; possible: number }

/** One object for each: a run keeps a weight for every change of a member. */
const weights = {
  out: { definite: 0, possible: 0 },
  possible: { definite: 0, possible: 1 },
  in: { definite: 1, possible: 1 },
} as const satisfies Record<string, Weight>

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

  get weight(): Weight {
    if (this.#isDefinite) return weights.in
    return this.#isPossible ? weights.possible : weights.out
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

/** `by` is the member whose weight changed, from `before`. */
type Step = Weight & { at: number; by: Member | null; before: Weight }

/** Its size is known as two step functions over time: what is in without doubt, and what may be in. */
export class Collection {
  readonly members = new Map<string, Member>()
  #steps: Step[] = [{ at: Number.NEGATIVE_INFINITY, by: null, before: weights.out, ...weights.out }]

  step(at: number, by: Member, before: Weight, earliest: number): void {
    const last = this.#steps.at(-1)
    if (!last) return
    const definite = last.definite + by.weight.definite - before.definite
    const step = { at, by, before, definite, possible: last.possible + by.weight.possible - before.possible }
    const needed = this.#steps.findLastIndex(({ at }) => at <= earliest)
    // There are tens of thousands of collections, and `push` or a spread would leave room for 17 more in each array.
    this.#steps = this.#steps.slice(Math.max(0, needed)).concat(step)
  }

  /**
   * The smallest and the largest size that it may have had at some moment since `from`. With `own`, only moments count at
   * which that member had its present weight: the answer to a write counts what it has just written.
   */
  sizesSince(from: number, own?: Member): { least: number; most: number } {
    let [least, most] = [Number.POSITIVE_INFINITY, 0]
    let weight = own?.weight ?? weights.out
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
}
