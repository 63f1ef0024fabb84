import t from 'tap'
import { runCrowd } from '../../bot/crowd.ts'
import { Misbehaviour, misdeeds } from '../../bot/faults/misbehaviour.ts'
import { Measurements } from '../../bot/load/measurements.ts'
import { isSuccess } from '../../bot/report/verdict.ts'
import { testServer } from '../helper.ts'
import { createRunContext } from './run-crowd.ts'

const size = { users: 9, posts: 4, replies: 2, follows: 4, reactions: 10, deletions: 12 }

t.test('a crowd that misbehaves in every way agrees with an honest server', { timeout: 600_000 }, async (t) => {
  const { url } = await testServer(t)
  const { context, stats } = createRunContext(url, { totalMs: 120_000, attemptTimeoutMs: 60_000 })
  const measurements = new Measurements()
  context.history.listen(measurements)
  const progress = { begin: () => ({ step: () => {}, end: () => {} }) }
  const findings = await runCrowd(4, size, { ...context, misbehaviour: new Misbehaviour(4, 12) }, progress)
  measurements.stop()
  t.strictSame(findings.findings, [])
  t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures(), gaveUp: [...findings.gaveUp] })
  const { faults, errors } = measurements.figures()
  for (const misdeed of misdeeds) t.ok((faults[misdeed] ?? 0) > 0, `${faults[misdeed]} × ${misdeed}`)
  t.notOk(
    errors.some(({ cause }) => cause.startsWith('cut') || cause.startsWith('not sent')),
    'they are no errors',
  )
})
