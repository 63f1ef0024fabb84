/**
 * What may stand between one robot and one thing. `acknowledged` is the server's last word; `perhaps` holds what was asked
 * for without an answer: there either outcome is right.
 */
export type Standing<Value> = { acknowledged: Value; perhaps: Set<Value> }

/** How an action without an answer may still come to pass: already, or even after later ones of the same robot. */
export type Doubt = 'perhaps done' | 'perhaps later'

export function allows<Value>({ acknowledged, perhaps }: Standing<Value>, value: Value): boolean {
  return acknowledged === value || perhaps.has(value)
}

/** What stands between robots and things of one kind: reactions and posts, follows and accounts. */
export class Standings<Value> {
  #none: Value
  #all = new Map<string, Map<number, Standing<Value> & { later: Set<Value> }>>()

  constructor(none: Value) {
    this.#none = none
  }

  /** `doubt` is for an attempt before the acknowledged one that may still be carried out later. */
  acknowledged(robot: number, thing: string, value: Value, doubt: Doubt | null): void {
    const standing = this.#standing(robot, thing)
    if (doubt === 'perhaps later') standing.later.add(value)
    standing.acknowledged = value
    standing.perhaps = new Set(standing.later)
    standing.perhaps.delete(value)
  }

  lost(robot: number, thing: string, value: Value, doubt: Doubt): void {
    const standing = this.#standing(robot, thing)
    if (doubt === 'perhaps later') standing.later.add(value)
    if (value !== standing.acknowledged) standing.perhaps.add(value)
  }

  /** Who may have something to do with a thing, by robot. */
  of(thing: string): ReadonlyMap<number, Standing<Value>> {
    return this.#all.get(thing) ?? new Map()
  }

  /** With what a robot may have something to do, by thing. */
  by(robot: number): Map<string, Standing<Value>> {
    const own = new Map<string, Standing<Value>>()
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
      unknown: all.filter(({ perhaps }) => perhaps.size > 0).length,
    }
  }

  #standing(robot: number, thing: string) {
    const standings = this.#all.get(thing) ?? new Map()
    this.#all.set(thing, standings)
    const standing = standings.get(robot) ?? { acknowledged: this.#none, perhaps: new Set(), later: new Set() }
    standings.set(robot, standing)
    return standing
  }
}
