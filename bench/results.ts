import type { Load, Scenario } from './scenarios/scenario.ts'
import type { Side } from './sides.ts'

/** One side's result of one round. */
export type Round = {
  side: Side
  /** Successful responses in time. */
  perSecond: number
  /** At a rate, from when each request was due. */
  latencyMs?: { p50: number; p99: number }
  /** CPU time for each request, in microseconds; NaN where it is unknown. */
  cpuUs: { server: number; mongod: number; load: number }
  /** The part of the machine's CPU time that went to others; null where it is unknown. */
  noise: number | null
}

/** The rounds of one scenario under one load that count, in their order, each with every side. */
export type Measured = { scenario: Scenario; load: Load; rounds: Round[][] }

/** How a scenario ended on one side. */
export type Verdict = {
  scenario: Scenario
  side: Side
  /** The statuses of all responses other than 2xx. */
  refused: number[]
  faults: string[]
}

export type Results = { measured: Measured[]; verdicts: Verdict[] }

/** @returns NaN without numbers */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The nearest-rank percentile. @returns NaN without numbers */
export function percentile(numbers: readonly number[], percent: number): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

/** The figures that are compared. */
export const metrics = {
  perSecond: ({ perSecond }: Round) => perSecond,
  p50: ({ latencyMs }: Round) => latencyMs?.p50 ?? Number.NaN,
  p99: ({ latencyMs }: Round) => latencyMs?.p99 ?? Number.NaN,
  serverCpu: ({ cpuUs }: Round) => cpuUs.server,
  mongodCpu: ({ cpuUs }: Round) => cpuUs.mongod,
} satisfies Record<string, (round: Round) => number>

export type Metric = keyof typeof metrics

/** A side's figures, by round. */
export const figuresOf = ({ rounds }: Measured, side: Side, metric: Metric): number[] =>
  rounds.flatMap((round) => round.filter((one) => one.side === side).map(metrics[metric]))

export type Spread = { median: number; min: number; max: number }

/** @returns undefined without finite numbers */
export function spreadOf(numbers: readonly number[]): Spread | undefined {
  const finite = numbers.filter(Number.isFinite)
  if (finite.length === 0) return undefined
  return { median: median(finite), min: Math.min(...finite), max: Math.max(...finite) }
}

/** Rookery's figure in multiples of another side's. Each ratio is one round's, so that noise affects both. */
export const ratiosOf = ({ rounds }: Measured, against: Side, metric: Metric): Spread | undefined =>
  spreadOf(
    rounds.map((round) => {
      const of = (side: Side) => round.filter((one) => one.side === side).map(metrics[metric])[0] ?? Number.NaN
      return of('rookery') / of(against)
    }),
  )

/** Over this part of the machine's time, others have disturbed a round. */
const noiseMax = 0.05

export const isNoisy = ({ noise }: Round): boolean => noise !== null && noise > noiseMax

/** A load in words. */
export function describeLoad(load: Load): string {
  if ('connections' in load) return load.connections === 1 ? '1 connection' : `${load.connections} connections`
  return load.duringLogins ? `at ${load.perSecond}/s while logins saturate` : `at ${load.perSecond}/s`
}
