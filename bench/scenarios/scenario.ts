import type { Outcome, Plan } from '../load/plan.ts'
import type { Side } from '../sides.ts'
import type { Stored } from '../stored/stored.ts'

/** Either as many requests as so many connections allow, each with one in flight, or a fixed rate. */
export type Load =
  | { connections: number }
  | {
      perSecond: number
      /** Whether other connections log in all the time. */
      duringLogins?: boolean
    }

/** All requests of a side so far. */
export type History = Pick<Outcome, 'done' | 'refused'>

/** What a scenario is prepared with. */
export type Setup = {
  side: Side
  port: number
  stored: Stored
  /** The most connections of any load. */
  connections: number
}

/** A side prepared for a scenario. */
export type Prepared = {
  /** Each connection's requests, and the values for their slots: see load/plan.ts. */
  plans: Plan[]
  values: string[]
  /** The requests of a load during logins. */
  logins?: Plan[]
  /** Compares the database with what was acknowledged: a sentence for each difference. */
  check(history: History): Promise<string[]>
}

export type Scenario = {
  name: string
  title: string
  /** The servers to compare Rookery with. */
  against: readonly Side[]
  /** One that is measured at this number of connections only: it takes too long elsewhere. */
  onlyAt?: Partial<Record<Side, number>>
  loads: readonly Load[]
  /** As in production where logins are measured; default 4. */
  bcryptCost?: number
  prepare(setup: Setup): Promise<Prepared>
}

/** The usual numbers of connections. */
export const closedLoops: readonly Load[] = [1, 16, 64, 256].map((connections) => ({ connections }))

/** The number of acknowledged requests. */
export const acknowledged = ({ done, refused }: History): number =>
  done.reduce((sum, count) => sum + count, 0) - refused.length

/** No fault, or one that names both numbers. */
export const expectCount = (expected: number, found: number, what: string): string[] =>
  found === expected ? [] : [`${what}: ${found} instead of ${expected}`]
