import type { Db } from 'mongodb'
import type { Outcome, Plan } from '../load/plan.ts'
import type { Side } from '../servers/server.ts'

/** All requests of a side so far. */
export type History = Pick<Outcome, 'done' | 'refused'>

/** A side prepared for a scenario. */
export type Prepared = {
  /** Each connection's requests, and the values for their slots: see load/plan.ts. */
  plans: Plan[]
  values: string[]
  /** Compares the database with what was acknowledged: a sentence for each difference. */
  check(history: History): Promise<string[]>
}

export type Scenario = {
  name: string
  title: string
  connections: number
  /** The server to compare with. */
  against: Exclude<Side, 'rookery'>
  /** The required speed in multiples of the other server's, if one was set. */
  target: number | null
  /** @param url - the side's server. */
  prepare(side: Side, url: string, db: Db): Promise<Prepared>
}

/** The number of acknowledged requests. */
export const acknowledged = ({ done, refused }: History): number =>
  done.reduce((sum, count) => sum + count, 0) - refused.length

/** No fault, or one that names both numbers. */
export const expectCount = (expected: number, found: number, what: string): string[] =>
  found === expected ? [] : [`${what}: ${found} instead of ${expected}`]
