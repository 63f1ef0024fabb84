import { grouped, milliseconds, percent } from '../format.ts'
import type { Report } from '../schema.ts'
import { dotChart, type Line, timeChart } from './svg.ts'

const percentiles: Omit<Line, 'values'>[] = [
  { label: 'p50', className: 'a' },
  { label: 'p99', className: 'b' },
  { label: 'max', className: 'c' },
]

/** Throughput, latency and errors of the server, then what the bot itself cost. */
export function seriesCharts({ series, run }: Report): string[] {
  const valuesOf = (pick: (second: Report['series'][number]) => number | null) => series.map(pick)
  const latency = percentiles.map((line, i): Line => {
    const values = valuesOf(({ p50, p99, max }) => [p50, p99, max][i] ?? null)
    return { ...line, values }
  })
  const rate = { label: 'answers', className: 'a', values: valuesOf(({ requests }) => requests) }
  const arrivals = { label: 'arrivals', className: 'b', values: valuesOf(({ arrivals }) => arrivals) }
  const cost = [
    { label: 'CPU', className: 'a', values: valuesOf(({ cpu }) => cpu) },
    { label: 'steal', className: 'b', values: valuesOf(({ steal }) => steal) },
  ]
  const delay = { label: 'delay', className: 'a', values: valuesOf(({ loopDelayMs }) => loopDelayMs) }
  return [
    timeChart('Requests a second', run.model === 'open' ? [rate, arrivals] : [rate], grouped),
    timeChart('Latency', latency, axisMs),
    timeChart(
      'Errors a second',
      [{ label: 'errors', className: 'bad', values: valuesOf(({ errors }) => errors) }],
      grouped,
    ),
    timeChart(
      'Requests in flight',
      [{ label: 'in flight', className: 'a', values: valuesOf(({ inFlight }) => inFlight) }],
      grouped,
    ),
    timeChart("The bot's CPU (of one core), and steal", cost, percentAxis),
    timeChart("Delay of the bot's event loop", [delay], axisMs),
  ]
}

/** p50, p99 and max of each action, on a logarithmic scale. */
export function latencyByAction({ actions }: Report): string {
  const measured = actions.filter(({ count }) => count > 0)
  if (measured.length === 0) return ''
  const rows = measured.map(({ action, latency }) => ({
    label: action,
    points: percentiles.map(({ label, className }) => {
      const value = { p50: latency.p50, p99: latency.p99, max: latency.max }[label] ?? null
      return { className, value, title: `${action} ${label} ${milliseconds(value)}` }
    }),
  }))
  return dotChart('Latency by action', percentiles, rows)
}

const axisMs = (ms: number): string => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`)

const percentAxis = (fraction: number): string => percent(fraction).replace('.00', '').replace('.0', '')
