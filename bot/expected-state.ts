/**
 * What the server may hold for one robot and one target: the last acknowledged value, or one of the `possible` values
 * that unanswered writes asked for.
 */
export type ExpectedState<Value> = { acknowledged: Value; possible: Set<Value> }

/**
 * What a write without success may still do: 'unknown', after a broken connection or a 5xx such as `outcome-unknown`, is
 * never applied after a later write that was acknowledged; 'in-flight' may even be.
 */
export type Uncertainty = 'unknown' | 'in-flight'

export function allows<Value>({ acknowledged, possible }: ExpectedState<Value>, value: Value): boolean {
  return acknowledged === value || possible.has(value)
}

/** Expected states by robot and target: reactions to posts, or follows of accounts. */
export class ExpectedStates<Value> {
  #initial: Value
  #states = new Map<string, Map<number, ExpectedState<Value> & { inFlight: Set<Value> }>>()

  constructor(initial: Value) {
    this.#initial = initial
  }

  /** `uncertainty` is that of unanswered attempts before the acknowledged one. */
  recordAcknowledged(robot: number, target: string, value: Value, uncertainty: Uncertainty | null): void {
    const state = this.#stateOf(robot, target)
    if (uncertainty === 'in-flight') state.inFlight.add(value)
    state.acknowledged = value
    state.possible = new Set(state.inFlight)
    state.possible.delete(value)
  }

  recordUnanswered(robot: number, target: string, value: Value, uncertainty: Uncertainty): void {
    const state = this.#stateOf(robot, target)
    if (uncertainty === 'in-flight') state.inFlight.add(value)
    if (value !== state.acknowledged) state.possible.add(value)
  }

  ofTarget(target: string): ReadonlyMap<number, ExpectedState<Value>> {
    return this.#states.get(target) ?? new Map()
  }

  ofRobot(robot: number): Map<string, ExpectedState<Value>> {
    const own = new Map<string, ExpectedState<Value>>()
    for (const [target, states] of this.#states) {
      const state = states.get(robot)
      if (state) own.set(target, state)
    }
    return own
  }

  totals(): { present: number; unknown: number } {
    const all = [...this.#states.values()].flatMap((states) => [...states.values()])
    return {
      present: all.filter(({ acknowledged }) => acknowledged !== this.#initial).length,
      unknown: all.filter(({ possible }) => possible.size > 0).length,
    }
  }

  #stateOf(robot: number, target: string) {
    const states = this.#states.get(target) ?? new Map()
    this.#states.set(target, states)
    const state = states.get(robot) ?? { acknowledged: this.#initial, possible: new Set(), inFlight: new Set() }
    states.set(robot, state)
    return state
  }
}
