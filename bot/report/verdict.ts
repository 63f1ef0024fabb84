import type { Finding } from '../check/finding.ts'
import type { Findings } from '../crowd.ts'
import type { CauseCount } from '../stats.ts'
import { counted, grouped } from './format.ts'
import type { Report } from './schema.ts'

/** The verdict as the report holds it. */
export function checkOf(found: Findings): Report['check'] {
  const { findings, totals, unreadable } = found
  const isNothing = totals.created === 0
  const unsaid = unreadable !== null || isNothing ? 'nothing can be said' : 'agrees'
  return {
    verdict: findings.length > 0 ? 'disagrees' : unsaid,
    summary: summarize(found, isNothing),
    notes: notesOf(found),
    acknowledged: {
      ...{ posts: totals.posts, reactions: totals.reactions, follows: totals.follows },
      secondFactors: totals.secondFactors,
    },
    ...{ checked: totals.checked, foreign: totals.foreign },
    indeterminate: { pinned: totals.pinned, open: totals.open },
    findings: findings.map((finding) => ({ ...finding, text: describeFinding(finding) })),
  }
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

function notesOf({ totals, gaveUp }: Findings): string[] {
  const { pinned, open, foreign } = totals
  const notes = [...gaveUp].map(([cause, robots]) => `${counted(robots, 'robot')} gave up: ${cause}.`)
  if (pinned + open > 0)
    notes.push(
      `Of the writes without an answer, reads showed ${grouped(pinned)} to have happened; ${grouped(open)} stayed open.`,
    )
  if (foreign > 0) notes.push(`Other accounts took part: ${counted(foreign, 'item')} of theirs.`)
  return notes
}

function summarize({ findings, totals, unreadable }: Findings, isNothing: boolean): string {
  const { posts, reactions, follows, checked } = totals
  const written = `${grouped(posts)} posts, ${grouped(reactions)} reactions and ${grouped(follows)} follows`
  if (findings.length > 0)
    return `ledger disagrees: ${counted(findings.length, 'contradiction')} in ${counted(checked, 'comparison')}`
  if (unreadable !== null) return `ledger check incomplete: ${unreadable}`
  if (isNothing) return 'nothing can be said: the server acknowledged no post'
  return `ledger agrees: ${grouped(checked)} comparisons, at the end with ${written} that stand`
}
