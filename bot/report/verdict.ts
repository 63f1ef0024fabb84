import type { Findings } from '../crowd.ts'
import type { CauseCount } from '../stats.ts'
import { counted, grouped } from './format.ts'
import type { Report } from './schema.ts'

const maxMismatchesShown = 20

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

/** The verdict as the report holds it. */
export function checkOf(findings: Findings, interrupted: boolean): Report['check'] {
  const { totals, mismatches, unreadable, gaveUp } = findings
  const { unknown, ...acknowledged } = totals
  const isNothing = Object.values(acknowledged).every((count) => count === 0) && gaveUp.size > 0
  const unsaid = unreadable !== null || isNothing ? 'nothing can be said' : 'agrees'
  return {
    verdict: mismatches.length > 0 ? 'disagrees' : unsaid,
    summary: verdict(findings, interrupted).at(-1) ?? '',
    notes: [...gaveUp].map(([cause, robots]) => `${counted(robots, 'robot')} gave up: ${cause}.`),
    acknowledged,
    indeterminate: unknown,
    findings: mismatches.map((text) => ({
      ...{ rule: null, object: null, expected: null, seen: null, requestIds: [], text },
    })),
  }
}
