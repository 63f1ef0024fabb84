import type { Db } from 'mongodb'
import type { Outcome, Plan } from '../load/plan.ts'
import type { Side } from '../servers/server.ts'

/** All that was asked of a side until now. */
export type History = Pick<Outcome, 'done' | 'refused'>

/** A side made ready for a scenario. */
export type Prepared = {
  /** What each connection asks, and what goes into the slots: see load/plan.ts. */
  plans: Plan[]
  values: string[]
  /** What the database says otherwise than what was acknowledged: a sentence for each fault. */
  check(history: History): Promise<string[]>
}

export type Scenario = {
  name: string
  title: string
  connections: number
  /** What the server is held against. */
  against: Exclude<Side, 'rookery'>
  /** How many times as fast it is to be, if that was said beforehand. */
  target: number | null
  /** @param url - of the side's server. */
  prepare(side: Side, url: string, db: Db): Promise<Prepared>
}

/** How many requests were acknowledged. */
export const acknowledged = ({ done, refused }: History): number =>
  done.reduce((sum, count) => sum + count, 0) - refused.length

/** Nothing, or what is wrong with a number. */
export const mustBe = (expected: number, found: number, what: string): string[] =>
  found === expected ? [] : [`${what}: ${found} and not ${expected}`]
