import { grouped, milliseconds, percent, perSecond } from '../format.ts'
import type { Report, ReportedFigures } from '../schema.ts'
import { escapeHtml } from './escape.ts'

export function actionTable({ actions, total }: Report): string {
  const head = [
    'action',
    'count',
    'a second',
    'errors',
    'refused',
    'gone',
    'retries',
    'p50',
    'p90',
    'p99',
    'max',
    'service p50',
    'service p99',
  ]
  const rows = actions.map((figures) => row(cellsOf(figures.action, figures)))
  return table(head, [...rows, row(cellsOf('all', total), 'total')])
}

export function causeTable(causes: Report['errors']): string {
  if (causes.length === 0) return ''
  const sorted = causes.toSorted((a, b) => b.count - a.count)
  return table(
    ['action', 'cause', 'count'],
    sorted.map(({ action, cause, count }) => row([action, cause, grouped(count)])),
    'texts',
  )
}

export function expectationTable({ expectations }: Report): string {
  if (expectations.length === 0) return ''
  const rows = expectations.map(({ expectation, actual, isMet }) =>
    row([expectation, actual, isMet ? 'met' : 'missed']),
  )
  return table(['expected', 'got', ''], rows, 'texts')
}

/** Options, versions, machine, and what was acknowledged. */
export function facts({ options, versions, machine, run, check, exit, load, series, faults }: Report): string {
  const steal = Math.max(0, ...series.map((second) => second.steal ?? 0))
  const waits = series.flatMap(({ waiting }) => waiting ?? [])
  const entries: [string, string][] = [
    ['exit code', exit.all.length === 0 ? '0' : exit.all.map(({ code, reason }) => `${code}: ${reason}`).join(' ')],
    [
      'acknowledged',
      Object.entries(check.acknowledged)
        .map(([name, count]) => `${grouped(count)} ${name}`)
        .join(', '),
    ],
    ['comparisons', grouped(check.checked)],
    [
      'writes without an answer',
      `${grouped(check.indeterminate.pinned)} happened, ${grouped(check.indeterminate.open)} open`,
    ],
    [
      'faults of the bot on purpose',
      Object.entries(faults)
        .map(([kind, count]) => `${grouped(count)} × ${kind}`)
        .join(', ') || 'none',
    ],
    [
      'options',
      Object.entries(options)
        .map(([name, value]) => `--${name} ${Array.isArray(value) ? value.join(', ') : value}`)
        .join(' '),
    ],
    ['time', `${run.startedAt} to ${run.endedAt}`],
    ['versions', `bot ${versions.bot}, Node.js ${versions.node}, server ${versions.server ?? 'unknown'}`],
    [
      'machine of the bot',
      `${machine.system}, ${machine.cores} × ${machine.cpu}, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB`,
    ],
    [
      'late arrivals',
      load.arrivals === 0
        ? 'none: a closed model has no arrivals'
        : `${grouped(load.late)} of ${grouped(load.arrivals)}`,
    ],
    ['event-loop delay, p99', milliseconds(load.loopDelayP99Ms)],
    ['waiting for a core, at most', waits.length === 0 ? 'unknown' : percent(Math.max(...waits))],
    ['steal, at most', percent(steal)],
  ]
  const items = entries.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
  return `<dl class="facts">${items.join('')}</dl>`
}

function cellsOf(
  name: string,
  { count, perSecond: rate, errors, refused, gone, retries, latency, service }: ReportedFigures,
): string[] {
  const { p50, p90, p99, max } = latency
  const times = [p50, p90, p99, max, service.p50, service.p99].map(milliseconds)
  return [
    name,
    grouped(count),
    perSecond(rate),
    grouped(errors),
    grouped(refused),
    grouped(gone),
    grouped(retries),
    ...times,
  ]
}

function row(cells: readonly string[], className = ''): string {
  const content = cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')
  return `<tr${className && ` class="${className}"`}>${content}</tr>`
}

function table(head: readonly string[], rows: readonly string[], className = ''): string {
  const cells = head.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('')
  return `<div class="table"><table${className && ` class="${className}"`}><thead><tr>${cells}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}
