import type { Findings } from './crowd.ts'
import type { Cause, Row } from './stats.ts'

const maxMismatchesShown = 20
const order = [
  'sign up',
  'log in',
  'log out',
  'refresh',
  'look around',
  'post',
  'reply',
  'follow',
  'unfollow',
  'like',
  'dislike',
  'change mind',
  'withdraw',
  'read timeline',
  'delete post',
  'confirm',
  'delete account',
]
const columns = ['action', 'count', 'errors', 'retries', 'p50 ms', 'p95 ms', 'p99 ms']

/** A whole number with its thousands apart: 1,234. */
export function grouped(number: number): string {
  return number.toLocaleString('en')
}

/** The table, aligned, and beneath it why things were repeated or failed. */
export function table(rows: Row[], retries: Cause[], failures: Cause[]): string[] {
  const cells = [columns, ...rows.toSorted(byOrder).map(cellsOf)]
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')
  return [...cells.map(line), ...causes('retries', retries), ...causes('errors', failures)]
}

/** The last lines: what was compared, and every reason why the run is not a success. */
export function verdict({ totals, mismatches, unreadable, gaveUp }: Findings, interrupted: boolean): string[] {
  const { posts, reactions, follows, deleted } = totals
  const counts = `${grouped(posts)} posts, ${grouped(reactions)} reactions, ${grouped(follows)} follows`
  const compared = `${counts}, ${count(deleted, 'deletion')} checked`
  const found: string[] = []
  for (const [cause, robots] of gaveUp) found.push(`${count(robots, 'robot')} gave up: ${cause}.`)
  if (totals.unknown > 0) {
    found.push(`${count(totals.unknown, 'write')} had no answer: either outcome was accepted for them.`)
  }
  if (interrupted) found.push('Interrupted: only what was acknowledged until then was checked.')
  if (unreadable !== null) return [...found, `ledger not checked to the end: ${unreadable}`]
  if (mismatches.length === 0) return [...found, `ledger agrees: ${compared}`]
  const more = mismatches.length - maxMismatchesShown
  return [
    ...found,
    ...mismatches.slice(0, maxMismatchesShown),
    ...(more > 0 ? [`and ${grouped(more)} more`] : []),
    `ledger disagrees: ${count(mismatches.length, 'difference')}, ${compared}`,
  ]
}

/** Whether everything was done and the ledger agrees. */
export function isSuccess(findings: Findings, failures: Cause[]): boolean {
  const { mismatches, unreadable, gaveUp } = findings
  return mismatches.length === 0 && unreadable === null && gaveUp.size === 0 && failures.length === 0
}

/** A day's order; what is not in it, the reading back, comes last. */
function byOrder(one: Row, other: Row): number {
  const place = ({ action }: Row) => (order.includes(action) ? order.indexOf(action) : order.length)
  return place(one) - place(other)
}

function cellsOf({ action, count, errors, retries, p50, p95, p99 }: Row): string[] {
  const times = [p50, p95, p99].map((ms) => (ms === null ? '-' : ms.toFixed(1)))
  return [action, grouped(count), grouped(errors), grouped(retries), ...times]
}

function causes(title: string, list: Cause[]): string[] {
  return list.map(({ action, cause, times }) => `${title}: ${action}, ${cause}, ${grouped(times)} times`)
}

function count(number: number, noun: string): string {
  return `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`
}
