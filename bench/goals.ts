import type { Measured, Metric, Spread } from './results.ts'
import { figuresOf, ratiosOf, spreadOf } from './results.ts'
import type { Load } from './scenarios/scenario.ts'
import { type Side, sides } from './sides.ts'

/** What is to be reached: a figure in multiples of another server's, or of Rookery's own without logins. */
export type Goal = {
  scenario: string
  load: Load
  metric: Metric
  against: Side
  /** At least so many times a rate; at most so many times a latency or a CPU time. */
  factor: number
}

const at = (scenario: string, connections: number, factor: number, against: Side): Goal => ({
  scenario,
  load: { connections },
  metric: 'perSecond',
  against,
  factor,
})

const p50 = (scenario: string, perSecond: number, factor: number, against: Side): Goal => ({
  scenario,
  load: { perSecond },
  metric: 'p50',
  against,
  factor,
})

export const goals: readonly Goal[] = [
  at('who-am-i', 16, 2.5, 'pocketbase'),
  at('create', 16, 1.5, 'bare'),
  at('create', 64, 2, 'bare'),
  at('create', 256, 2, 'bare'),
  at('read', 16, 1.6, 'bare'),
  at('read', 64, 2.5, 'bare'),
  at('newest', 16, 1.2, 'bare'),
  at('react-many-posts', 16, 3, 'pocketbase'),
  at('react-many-posts', 64, 6, 'flask'),
  at('react-many-posts', 256, 10, 'flask'),
  at('react-one-post', 16, 2.5, 'pocketbase'),
  at('react-one-post', 256, 25, 'one-transaction'),
  at('mixed', 16, 1.3, 'pocketbase'),
  p50('who-am-i', 100, 1, 'pocketbase'),
  p50('read', 100, 1, 'bare'),
  p50('create', 50, 1.3, 'bare'),
  p50('react-many-posts', 50, 1.3, 'pocketbase'),
  { scenario: 'log-in', load: { connections: 16 }, metric: 'serverCpu', against: 'bcrypt', factor: 1.07 },
  {
    scenario: 'login-storm',
    load: { perSecond: 100, duringLogins: true },
    metric: 'p99',
    against: 'rookery',
    factor: 3,
  },
]

const isSameLoad = (one: Load, other: Load) => JSON.stringify(one) === JSON.stringify(other)

/** The result of a scenario under a load. */
const findMeasured = (results: readonly Measured[], scenario: string, load: Load): Measured | undefined =>
  results.find((one) => one.scenario.name === scenario && isSameLoad(one.load, load))

/** The goal of a figure. */
export const goalOf = ({ scenario, load }: Measured, metric: Metric): Goal | undefined =>
  goals.find((goal) => goal.scenario === scenario.name && goal.metric === metric && isSameLoad(goal.load, load))

/** A goal, and how far Rookery is: undefined where its rival was not measured. */
export function standing(goal: Goal, results: readonly Measured[]): { ratio: Spread; isReached: boolean } | undefined {
  const measured = findMeasured(results, goal.scenario, goal.load)
  if (!measured) return undefined
  const ratio =
    goal.against === 'rookery' ? ratioToIdle(goal, measured, results) : ratiosOf(measured, goal.against, goal.metric)
  if (!ratio) return undefined
  return { ratio, isReached: goal.metric === 'perSecond' ? ratio.median >= goal.factor : ratio.median <= goal.factor }
}

/** Rookery's own figure without logins at the same rate: the rounds are not the same ones, but as many. */
function ratioToIdle({ scenario, metric, load }: Goal, measured: Measured, results: readonly Measured[]) {
  if (!('perSecond' in load)) return undefined
  const idle = findMeasured(results, scenario, { perSecond: load.perSecond })
  if (!idle) return undefined
  const idleFigures = figuresOf(idle, 'rookery', metric)
  return spreadOf(figuresOf(measured, 'rookery', metric).map((figure, n) => figure / (idleFigures[n] ?? Number.NaN)))
}

/** The goal in words. */
export function describeGoal({ metric, against, factor }: Goal): string {
  const sign = metric === 'perSecond' ? '≥' : '≤'
  return `${sign} ${factor} × ${against === 'rookery' ? 'without logins' : sides[against].title}`
}
