import { counted, grouped, milliseconds } from './format.ts'

/** What the display shows. Latencies are those of the last second, `rates` the requests of each second so far. */
export type RunView = {
  elapsedMs: number
  robots: number
  phase: { name: string; done: number; total: number } | null
  rates: readonly number[]
  p50: number | null
  p99: number | null
  max: number | null
  errors: readonly { cause: string; count: number }[]
  checked: number
  silentMs: number
}

const sparkSeconds = 60
const minSilenceMs = 2_000
const bars = '▁▂▃▄▅▆▇█'
const labelWidth = 11

/** The display as lines of at most `columns` characters. */
export function viewLines(view: RunView, columns: number): string[] {
  const rate = grouped(view.rates.at(-1) ?? 0).padStart(6)
  const sparkWidth = Math.min(sparkSeconds, Math.max(0, columns - labelWidth - rate.length - 2))
  const rows = [
    ['robots', `${grouped(view.robots)} at work for ${clock(view.elapsedMs)}`],
    ...(view.phase ? [['phase', phaseText(view.phase)]] : []),
    ['requests/s', `${rate}  ${sparkline(view.rates.slice(-sparkWidth))}`],
    ['latency', `p50 ${milliseconds(view.p50)}  p99 ${milliseconds(view.p99)}  max ${milliseconds(view.max)}`],
    ['errors', errorText(view)],
    ['checked', grouped(view.checked)],
    ['server', serverText(view)],
  ]
  return rows.map(([label = '', text = '']) => cut(`${label.padEnd(labelWidth)}${text}`, columns))
}

/** The same in one line, for where there is no terminal. */
export function viewLine(view: RunView): string {
  const { p50, p99, max } = view
  return [
    clock(view.elapsedMs),
    `${grouped(view.rates.at(-1) ?? 0)} requests/s`,
    `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}, max ${milliseconds(max)}`,
    `errors: ${errorText(view)}`,
    `${counted(view.robots, 'robot')} at work`,
    `${grouped(view.checked)} checked`,
    `server ${serverText(view)}`,
    ...(view.phase ? [phaseText(view.phase)] : []),
  ].join('; ')
}

/** A day that is bounded by time has no total. */
export function phaseText({ name, done, total }: NonNullable<RunView['phase']>): string {
  return `${name}: ${grouped(done)}${total > 0 ? ` of ${grouped(total)}` : ''}`
}

function errorText({ errors }: RunView): string {
  const byCause = new Map<string, number>()
  for (const { cause, count } of errors) byCause.set(cause, (byCause.get(cause) ?? 0) + count)
  const sorted = [...byCause].sort(([, a], [, b]) => b - a)
  return sorted.map(([cause, count]) => `${grouped(count)} × ${cause}`).join(', ') || 'none'
}

function serverText({ silentMs }: RunView): string {
  return silentMs >= minSilenceMs ? `silent for ${Math.floor(silentMs / 1000)} s` : 'ready'
}

function sparkline(rates: readonly number[]): string {
  const highest = Math.max(1, ...rates)
  return rates.map((rate) => bars[Math.round((rate / highest) * (bars.length - 1))]).join('')
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

function cut(line: string, columns: number): string {
  const characters = [...line]
  return characters.length <= columns ? line : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`
}
