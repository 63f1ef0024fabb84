import type { Findings } from '../crowd.ts'
import type { CauseCount } from '../stats.ts'
import { counted, grouped } from './format.ts'
import type { Report } from './schema.ts'

/** One sentence on what was compared, and whether it agrees. */
function summarize({ totals, mismatches, unreadable }: Findings): string {
  const { posts, reactions, follows, deleted } = totals
  const written = `${grouped(posts)} posts, ${grouped(reactions)} reactions, ${grouped(follows)} follows`
  const acknowledged = `the ${written} and ${counted(deleted, 'deletion')} that it acknowledged`
  if (mismatches.length > 0)
    return `ledger disagrees: the server's content has ${counted(mismatches.length, 'mismatch', 'mismatches')} with ${acknowledged}`
  if (unreadable !== null) return `ledger check incomplete: ${unreadable}`
  return `ledger agrees: the server's content matches ${acknowledged}`
}

/** Whether every action succeeded and the ledger agrees with the server. */
export function isSuccess(findings: Findings, failures: CauseCount[]): boolean {
  const { mismatches, unreadable, gaveUp } = findings
  return mismatches.length === 0 && unreadable === null && gaveUp.size === 0 && failures.length === 0
}

/** The verdict as the report holds it. */
export function checkOf(findings: Findings): Report['check'] {
  const { totals, mismatches, unreadable, gaveUp } = findings
  const { unknown, ...acknowledged } = totals
  const isNothing = unreadable === null && Object.values(acknowledged).every((count) => count === 0) && gaveUp.size > 0
  const unsaid = unreadable !== null || isNothing ? 'nothing can be said' : 'agrees'
  return {
    verdict: mismatches.length > 0 ? 'disagrees' : unsaid,
    summary: isNothing ? 'nothing can be said: the server acknowledged nothing' : summarize(findings),
    notes: [...gaveUp].map(([cause, robots]) => `${counted(robots, 'robot')} gave up: ${cause}.`),
    acknowledged,
    indeterminate: unknown,
    findings: mismatches.map((text) => ({
      ...{ rule: null, object: null, expected: null, seen: null, requestIds: [], text },
    })),
  }
}
