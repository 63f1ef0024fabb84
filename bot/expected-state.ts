/**
 * What may stand between one robot and one thing. `acknowledged` is the server's last word; `possible` holds what was asked
 * for without an answer: there either outcome is right.
 */
export type ExpectedState<Value> = { acknowledged: Value; possible: Set<Value> }

/** How an action without an answer may still come to pass: already, or even after later ones of the same robot. */
export type Uncertainty = 'unknown' | 'in-flight'

export function allows<Value>({ acknowledged, possible }: ExpectedState<Value>, value: Value): boolean {
  return acknowledged === value || possible.has(value)
}

/** What stands between robots and things of one kind: reactions and posts, follows and accounts. */
export class ExpectedStates<Value> {
  #none: Value
  #all = new Map<string, Map<number, ExpectedState<Value> & { later: Set<Value> }>>()

  constructor(none: Value) {
    this.#none = none
  }

  /** `uncertainty` is for an attempt before the acknowledged one that may still be carried out later. */
  recordAcknowledged(robot: number, thing: string, value: Value, uncertainty: Uncertainty | null): void {
    const standing = this.#standing(robot, thing)
    if (uncertainty === 'in-flight') standing.later.add(value)
    standing.acknowledged = value
    standing.possible = new Set(standing.later)
    standing.possible.delete(value)
  }

  recordUnanswered(robot: number, thing: string, value: Value, uncertainty: Uncertainty): void {
    const standing = this.#standing(robot, thing)
    if (uncertainty === 'in-flight') standing.later.add(value)
    if (value !== standing.acknowledged) standing.possible.add(value)
  }

  /** Who may have something to do with a thing, by robot. */
  of(thing: string): ReadonlyMap<number, ExpectedState<Value>> {
    return this.#all.get(thing) ?? new Map()
  }

  /** With what a robot may have something to do, by thing. */
  by(robot: number): Map<string, ExpectedState<Value>> {
    const own = new Map<string, ExpectedState<Value>>()
    for (const [thing, standings] of this.#all) {
      const standing = standings.get(robot)
      if (standing) own.set(thing, standing)
    }
    return own
  }

  /** How many stand, and of how many nobody knows. */
  totals(): { standing: number; unknown: number } {
    const all = [...this.#all.values()].flatMap((standings) => [...standings.values()])
    return {
      standing: all.filter(({ acknowledged }) => acknowledged !== this.#none).length,
      unknown: all.filter(({ possible }) => possible.size > 0).length,
    }
  }

  #standing(robot: number, thing: string) {
    const standings = this.#all.get(thing) ?? new Map()
    this.#all.set(thing, standings)
    const standing = standings.get(robot) ?? { acknowledged: this.#none, possible: new Set(), later: new Set() }
    standings.set(robot, standing)
    return standing
  }
}
