import { describeGoal, goalOf, standing } from './goals.ts'
import { markdownTable } from './markdown.ts'
import { describeLoad, figuresOf, isNoisy, type Measured, type Metric, type Spread, spreadOf } from './results.ts'
import { type Side, sideNames, sides } from './sides.ts'

/** Marks a figure of which most rounds were noisy. */
export const noisyMark = '†'

const whole = (number: number) => Math.round(number).toLocaleString('en')

const format: Record<Metric, (number: number) => string> = {
  perSecond: whole,
  p50: (ms) => ms.toFixed(1),
  p99: (ms) => ms.toFixed(1),
  serverCpu: whole,
  mongodCpu: whole,
}

/** The figures that a row of the table has, by its load and scenario. */
function metricsOf({ scenario, load }: Measured): Metric[] {
  if (scenario.name === 'log-in') return ['perSecond', 'serverCpu']
  if ('connections' in load) return ['perSecond']
  return scenario.name === 'login-storm' ? ['p99'] : ['p50', 'p99']
}

const units: Record<Metric, string> = {
  perSecond: 'requests/s',
  p50: 'p50, ms',
  p99: 'p99, ms',
  serverCpu: 'CPU of the server, µs',
  mongodCpu: 'CPU of mongod, µs',
}

const ratioText = ({ median, min, max }: Spread, digits = median < 10 ? 2 : 1) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`

/** The median, and half the distance between the lowest and the highest of several rounds. */
function figureText(measured: Measured, side: Side, metric: Metric): string {
  const spread = spreadOf(figuresOf(measured, side, metric))
  if (!spread) return ''
  const { median, min, max } = spread
  const rounds = measured.rounds.flatMap((round) => round.filter((one) => one.side === side))
  const mark = rounds.filter(isNoisy).length * 2 > rounds.length ? noisyMark : ''
  const range = measured.rounds.length > 1 ? ` ±${Math.round((50 * (max - min)) / median)} %` : ''
  return `${format[metric](median)}${mark}${range}`
}

const measuredSides = (results: readonly Measured[]): Side[] =>
  sideNames.filter((side) =>
    results.some(({ rounds }) => rounds.some((round) => round.some((one) => one.side === side))),
  )

/** Every figure of every server, and how far Rookery is from each goal. */
export function figuresTable(results: readonly Measured[]): string[] {
  const columns = measuredSides(results)
  const rows = results
    .filter(({ rounds }) => rounds.length > 0)
    .flatMap((measured) =>
      metricsOf(measured).map((metric) => {
        const goal = goalOf(measured, metric)
        const reached = goal && standing(goal, results)
        return [
          `${measured.scenario.title}, ${describeLoad(measured.load)}`,
          units[metric],
          ...columns.map((side) => figureText(measured, side, metric)),
          goal ? describeGoal(goal) : '',
          reached ? `${ratioText(reached.ratio)} ${reached.isReached ? '✓' : '✗'}` : '',
        ]
      }),
    )
  const titles = columns.map((side) => sides[side].title)
  return markdownTable(['scenario', 'figure', ...titles, 'to reach', 'Rookery’s ratio'], rows, 2)
}

/** CPU time for each request of closed loops: of the server's processes, and of mongod's. */
export function cpuTable(results: readonly Measured[]): string[] {
  const columns = measuredSides(results)
  const text = (measured: Measured, side: Side) => {
    const server = spreadOf(figuresOf(measured, side, 'serverCpu'))
    const mongod = spreadOf(figuresOf(measured, side, 'mongodCpu'))
    return server ? `${whole(server.median)} + ${whole(mongod?.median ?? 0)}` : ''
  }
  const rows = results
    .filter(({ load, rounds }) => 'connections' in load && rounds.length > 0)
    .map((measured) => [
      `${measured.scenario.title}, ${describeLoad(measured.load)}`,
      ...columns.map((side) => text(measured, side)),
    ])
  if (rows.length === 0) return []
  return markdownTable(['CPU per request in µs, server + mongod', ...columns.map((side) => sides[side].title)], rows, 1)
}
