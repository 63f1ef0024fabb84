import type { Finding } from './check/finding.ts'
import type { Findings } from './crowd.ts'
import type { CauseCount, StatsRow } from './stats.ts'

const maxFindingsShown = 20
const actionOrder = [
  'sign up',
  'log in',
  'log out',
  'refresh',
  'confirm password',
  'change password',
  'change profile',
  'post',
  'reply',
  'edit post',
  'delete post',
  'like',
  'dislike',
  'remove reaction',
  'follow',
  'unfollow',
  'export',
  'delete account',
  'must be refused',
]
const columns = ['action', 'count', 'errors', 'retries', 'p50 ms', 'p95 ms', 'p99 ms']

export function grouped(number: number): string {
  return number.toLocaleString('en')
}

/** Formats the stats as an aligned table, followed by the causes of retries and errors. */
export function table(rows: StatsRow[], retries: CauseCount[], failures: CauseCount[]): string[] {
  const cells = [columns, ...rows.toSorted(byActionOrder).map(cellsOf)]
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')
  return [...cells.map(line), ...causeLines('retries', retries), ...causeLines('errors', failures)]
}

export function verdict({ findings, totals, unreadable, gaveUp }: Findings, interrupted: boolean): string[] {
  const { posts, reactions, follows, checked } = totals
  const written = `${grouped(posts)} posts, ${grouped(reactions)} reactions and ${grouped(follows)} follows`
  const lines: string[] = []
  for (const [cause, robots] of gaveUp) lines.push(`${counted(robots, 'robot')} gave up: ${cause}.`)
  if (totals.pinned + totals.open > 0)
    lines.push(
      `Of the writes without an answer, reads showed ${grouped(totals.pinned)} to have happened; ${grouped(totals.open)} stayed open.`,
    )
  if (totals.foreign > 0) lines.push(`Other accounts took part: ${counted(totals.foreign, 'item')} of theirs.`)
  if (interrupted) lines.push('Interrupted: only writes acknowledged before the interruption were checked.')
  lines.push(...findings.slice(0, maxFindingsShown).map(describeFinding))
  if (findings.length > maxFindingsShown) lines.push(`and ${grouped(findings.length - maxFindingsShown)} more`)
  if (findings.length > 0)
    return [
      ...lines,
      `ledger disagrees: ${counted(findings.length, 'contradiction')} in ${counted(checked, 'comparison')}`,
    ]
  if (unreadable !== null) return [...lines, `ledger check incomplete: ${unreadable}`]
  return [...lines, `ledger agrees: ${grouped(checked)} comparisons, at the end with ${written} that stand`]
}

/** One line: the rule, what it is about, what had to be, what was, and the requests that it follows from. */
export function describeFinding({ rule, object, expected, seen, requestIds, times }: Finding): string {
  const took = (times.answered - times.sent).toFixed(0)
  return `${rule} ${object}: expected ${expected}, seen ${seen} (${[...requestIds, `in ${took} ms`].join(', ')})`
}

/** Whether every action succeeded and the ledger agrees with the server. */
export function isSuccess(findings: Findings, failures: CauseCount[]): boolean {
  const { unreadable, gaveUp } = findings
  return findings.findings.length === 0 && unreadable === null && gaveUp.size === 0 && failures.length === 0
}

function byActionOrder(a: StatsRow, b: StatsRow): number {
  const position = ({ action }: StatsRow) =>
    actionOrder.includes(action) ? actionOrder.indexOf(action) : actionOrder.length
  return position(a) - position(b)
}

function cellsOf({ action, count, errors, retries, p50, p95, p99 }: StatsRow): string[] {
  const latencies = [p50, p95, p99].map((ms) => (ms === null ? '-' : ms.toFixed(1)))
  return [action, grouped(count), grouped(errors), grouped(retries), ...latencies]
}

function causeLines(title: string, causes: CauseCount[]): string[] {
  return causes.map(({ action, cause, count }) => `${title}: ${action}, ${cause}, ${grouped(count)} times`)
}

function counted(number: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(number)} ${number === 1 ? noun : plural}`
}
