import type { Findings } from './crowd.ts'
import type { CauseCount, StatsRow } from './stats.ts'

const maxMismatchesShown = 20
const actionOrder = [
  'sign up',
  'log in',
  'log out',
  'refresh',
  'read profile',
  'post',
  'reply',
  'follow',
  'unfollow',
  'like',
  'dislike',
  'change reaction',
  'remove reaction',
  'read timeline',
  'delete post',
  'confirm password',
  'delete account',
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

export function verdict({ totals, mismatches, unreadable, gaveUp }: Findings, interrupted: boolean): string[] {
  const { posts, reactions, follows, deleted } = totals
  const written = `${grouped(posts)} posts, ${grouped(reactions)} reactions, ${grouped(follows)} follows`
  const acknowledged = `the ${written} and ${counted(deleted, 'deletion')} that it acknowledged`
  const lines: string[] = []
  for (const [cause, robots] of gaveUp) lines.push(`${counted(robots, 'robot')} gave up: ${cause}.`)
  if (totals.unknown > 0) {
    lines.push(`${counted(totals.unknown, 'write')} got no response: the check accepted either outcome.`)
  }
  if (interrupted) lines.push('Interrupted: only writes acknowledged before the interruption were checked.')
  if (unreadable !== null) return [...lines, `ledger check incomplete: ${unreadable}`]
  if (mismatches.length === 0) return [...lines, `ledger agrees: the server's content matches ${acknowledged}`]
  const more = mismatches.length - maxMismatchesShown
  return [
    ...lines,
    ...mismatches.slice(0, maxMismatchesShown),
    ...(more > 0 ? [`and ${grouped(more)} more`] : []),
    `ledger disagrees: the server's content has ${counted(mismatches.length, 'mismatch', 'mismatches')} with ${acknowledged}`,
  ]
}

/** Whether every action succeeded and the ledger agrees with the server. */
export function isSuccess(findings: Findings, failures: CauseCount[]): boolean {
  const { mismatches, unreadable, gaveUp } = findings
  return mismatches.length === 0 && unreadable === null && gaveUp.size === 0 && failures.length === 0
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
