import type { Effect, Value } from '../history/operation.ts'

/**
 * A write whose value a read may return, unless the read began after `supersededAt`: from then on a later write has
 * certainly taken its place.
 */
export type Candidate = {
  value: Value
  /** Of the answer; null without one. */
  requestId: string | null
  sentAt: number
  effect: Effect | 'pending'
  supersededAt: number
  /** When a read showed that a late write has taken effect. */
  landedAt: number | null
}

/** `by` is the write that a read returned; without one, no write explains the value. */
export type ReadResult =
  | { outcome: 'explained'; by: Candidate; hasChanged: boolean }
  | { outcome: 'unexplained'; expected: Candidate[] }

/**
 * One sequential writer, any number of readers: linearizable as long as each read returns the value of a write that was
 * sent before the read's answer, was not refused, and was not superseded before the read was sent.
 */
export class Register {
  readonly name: string
  /** In the order of their sending. */
  #candidates: Candidate[]

  constructor(name: string, initial: Value) {
    this.name = name
    const beginning = Number.NEGATIVE_INFINITY
    this.#candidates = [
      {
        ...{ value: initial, requestId: null, sentAt: beginning, effect: 'acknowledged' },
        ...{ supersededAt: Number.POSITIVE_INFINITY, landedAt: null },
      },
    ]
  }

  /** The values that the server may hold now. */
  possibleValues(): Value[] {
    return this.#candidates.filter(isCurrent).map(({ value }) => value)
  }

  /**
   * What lists and counts may go by. A read may show a write before its answer, such as the deletion of an account, while
   * other objects still change: no claim is made about several at once.
   */
  valuesForOthers(): Value[] {
    const pending = this.#candidates.find(({ effect }) => effect === 'pending')
    if (!pending) return this.possibleValues()
    return this.#candidates.filter(({ supersededAt }) => supersededAt >= pending.sentAt).map(({ value }) => value)
  }

  begin(value: Value, sentAt: number): Candidate {
    const supersededAt = Number.POSITIVE_INFINITY
    const candidate: Candidate = { value, requestId: null, sentAt, effect: 'pending', supersededAt, landedAt: null }
    // There are tens of thousands of registers, and `push` or a spread would leave room for 17 more in each array.
    this.#candidates = this.#candidates.concat(candidate)
    return candidate
  }

  end(candidate: Candidate, effect: Effect, at: number, requestId: string | null): void {
    Object.assign(candidate, { effect, requestId })
    if (effect === 'refused') this.#candidates = this.#candidates.filter((other) => other !== candidate)
    if (effect === 'acknowledged') this.#supersedeBefore(candidate, at)
  }

  /** A read that was sent at `sentAt` and whose answer, with `value`, has just come. */
  read(value: Value, sentAt: number, answeredAt: number): ReadResult {
    const readable = this.#candidates.filter((candidate) => candidate.supersededAt >= sentAt)
    const explanations = readable.filter((candidate) => candidate.value === value)
    const [first] = explanations
    if (!first) return { outcome: 'unexplained', expected: readable }
    if (first.effect === 'late' && explanations.length === 1) first.landedAt ??= answeredAt
    return { outcome: 'explained', by: first, hasChanged: this.#supersedeBefore(first, answeredAt) }
  }

  /** Whether an attempt without an answer may still decide the value. */
  isOpen(): boolean {
    return new Set(this.possibleValues()).size > 1
  }

  /** Drops what no read that was sent at `earliest` or later can return. */
  forget(earliest: number): void {
    if (this.#candidates.length > 1)
      this.#candidates = this.#candidates.filter(({ supersededAt }) => supersededAt >= earliest)
  }

  /** @returns whether it has superseded one */
  #supersedeBefore(candidate: Candidate, at: number): boolean {
    let hasChanged = false
    for (const earlier of this.#candidates) {
      if (earlier === candidate) break
      if (earlier.supersededAt <= at || mayOutlive(earlier, candidate)) continue
      earlier.supersededAt = at
      hasChanged = true
    }
    return hasChanged
  }
}

const isCurrent = ({ supersededAt }: Candidate) => supersededAt === Number.POSITIVE_INFINITY

/** A late write may take effect after a later one, though not after one that was sent when it had already been seen. */
function mayOutlive({ effect, landedAt }: Candidate, later: Candidate): boolean {
  if (effect === 'pending') return true
  return effect === 'late' && (landedAt === null || later.sentAt <= landedAt)
}
