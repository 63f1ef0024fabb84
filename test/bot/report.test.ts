import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { Finding } from '../../bot/check/finding.ts'
import type { Findings } from '../../bot/crowd.ts'
import { showProgress } from '../../bot/progress.ts'
import { isSuccess, table, verdict } from '../../bot/report.ts'

const totals = { posts: 1_234, reactions: 5_678, follows: 90, checked: 4_321, pinned: 0, open: 0, foreign: 0 }
const findings: Findings = { findings: [], totals, unreadable: null, gaveUp: new Map() }
const finding = (object: string): Finding => ({
  ...{ rule: 'R', object, expected: '"like"', seen: 'null', requestIds: ['write-1', 'read-2'] },
  times: { sent: 10, answered: 22 },
})

t.test('the table aligns its columns and lists the causes of retries and errors', async (t) => {
  const lines = table(
    [
      { action: 'post', count: 1_234, errors: 0, retries: 12, p50: 1.25, p95: 10, p99: 1_000.04 },
      { action: 'change reaction', count: 0, errors: 3, retries: 0, p50: null, p95: null, p99: null },
    ],
    [{ action: 'post', cause: '503 overloaded', count: 12 }],
    [{ action: 'change reaction', cause: '500 internal', count: 3 }],
  )
  t.strictSame(lines, [
    'action           count  errors  retries  p50 ms  p95 ms  p99 ms',
    'post             1,234       0       12     1.3    10.0  1000.0',
    'change reaction      0       3        0       -       -       -',
    'retries: post, 503 overloaded, 12 times',
    'errors: change reaction, 500 internal, 3 times',
  ])
})

t.test('the verdict ends with what was compared, and names each reason against success', async (t) => {
  t.strictSame(verdict(findings, false), [
    'ledger agrees: 4,321 comparisons, at the end with 1,234 posts, 5,678 reactions and 90 follows that stand',
  ])
  t.match(verdict({ ...findings, unreadable: '/v1/posts: 500 internal' }, false), [
    'ledger check incomplete: /v1/posts: 500 internal',
  ])
  t.match(verdict({ ...findings, gaveUp: new Map([['ECONNRESET, retries exhausted', 2]]) }, true), [
    '2 robots gave up: ECONNRESET, retries exhausted.',
    /^Interrupted/,
    /^ledger agrees/,
  ])
  t.match(verdict({ ...findings, totals: { ...totals, pinned: 3, open: 1, foreign: 2 } }, false), [
    'Of the writes without an answer, reads showed 3 to have happened; 1 stayed open.',
    'Other accounts took part: 2 items of theirs.',
    /agrees/,
  ])
  const many = verdict({ ...findings, findings: Array.from({ length: 25 }, (_, n) => finding(`text:ann/${n}`)) }, false)
  t.equal(many.length, 22)
  t.equal(many[0], 'R text:ann/0: expected "like", seen null (write-1, read-2, in 12 ms)')
  t.match(many.slice(-2), ['and 5 more', 'ledger disagrees: 25 contradictions in 4,321 comparisons'])
})

t.test('a contradiction, an incomplete check, a robot that gave up or a failed action is no success', async (t) => {
  t.ok(isSuccess(findings, []))
  t.notOk(isSuccess({ ...findings, findings: [finding('x')] }, []))
  t.notOk(isSuccess({ ...findings, unreadable: 'x' }, []))
  t.notOk(isSuccess({ ...findings, gaveUp: new Map([['x', 1]]) }, []))
  t.notOk(isSuccess(findings, [{ action: 'post', cause: '500 internal', count: 1 }]))
})

t.test('without a terminal, progress is printed as plain lines', async (t) => {
  const stream = new PassThrough()
  const phase = showProgress(stream).begin('post', 2_000)
  for (let i = 0; i < 1_500; i += 1) phase.step()
  phase.end()
  stream.end()
  t.match(await text(stream), /^post: 1,500 of 2,000 in 0\.\d s\n$/)
})
