import type { Observation, Operation, Write } from './operation.ts'

/** The checker, the measurements, the ledger file and the display. */
export type HistoryListener = {
  begin?(operation: Operation, writes: readonly Write[]): void
  end?(operation: Operation, observations: readonly Observation[]): void
}

type Beginning = Pick<Operation, 'robot' | 'action'> &
  Partial<Pick<Operation, 'intended' | 'attempt' | 'retryOf' | 'fault'>>
type Ending = Pick<Operation, 'status' | 'cause' | 'requestId'>

/** Less than a clock can show. */
const instantMs = 1e-6

/**
 * What happened, in the order in which it happened: `begin` is called right before a request is sent, `end` once its
 * answer is there or will never be. No two of them have the same time, so that listeners can tell before from after.
 */
export class History {
  #listeners: HistoryListener[] = []
  #clock: () => number
  #lastId = 0
  #lastTime = Number.NEGATIVE_INFINITY

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  listen(listener: HistoryListener): void {
    this.#listeners.push(listener)
  }

  begin(
    { robot, action, intended, attempt = 1, retryOf = null, fault }: Beginning,
    writes: readonly Write[] = [],
  ): Operation {
    this.#lastId += 1
    const sent = this.#now()
    const operation = {
      ...{ id: this.#lastId, robot, action, intended: intended ?? sent, sent, answered: null },
      ...{ status: null, cause: '', requestId: null, attempt, retryOf },
      ...(fault !== undefined && { fault }),
    }
    for (const listener of this.#listeners) listener.begin?.(operation, writes)
    return operation
  }

  end(operation: Operation, ending: Ending, observations: readonly Observation[] = []): void {
    Object.assign(operation, ending, { answered: this.#now() })
    for (const listener of this.#listeners) listener.end?.(operation, observations)
  }

  #now(): number {
    this.#lastTime = Math.max(this.#clock(), this.#lastTime + instantMs)
    return this.#lastTime
  }
}
