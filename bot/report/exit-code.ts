import { interruptedExitCodes } from '../../src/shutdown-signal.ts'
import type { Report } from './schema.ts'

type Judged = Pick<Report, 'check' | 'unexpected' | 'expectations'> & {
  run: Pick<Report['run'], 'interrupted'>
  load: Pick<Report['load'], 'invalid' | 'isJudged'>
}

/** Every reason against success with its exit code, in their order of precedence; docs/bot.md lists the codes. */
export function exitReasons({ run, check, load, unexpected, expectations }: Judged): Report['exit']['all'] {
  const reasons: Report['exit']['all'] = []
  if (run.interrupted)
    reasons.push({ code: interruptedExitCodes[run.interrupted], reason: `${run.interrupted} ended the run.` })
  if (check.verdict === 'disagrees') reasons.push({ code: 1, reason: check.summary })
  if (check.verdict === 'nothing can be said') reasons.push({ code: 4, reason: check.summary })
  if (load.isJudged) for (const reason of load.invalid) reasons.push({ code: 5, reason })
  for (const { expectation, actual, isMet } of expectations)
    if (!isMet) reasons.push({ code: 3, reason: `Expected ${expectation}, got ${actual}.` })
  for (const { action, cause, count } of unexpected)
    reasons.push({ code: 3, reason: `${action}: ${cause}, ${count === 1 ? 'once' : `${count} times`}.` })
  return reasons
}
