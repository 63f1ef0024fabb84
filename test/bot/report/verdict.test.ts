import t from 'tap'
import { checkOf, isSuccess, verdict } from '../../../bot/report/verdict.ts'

const findings = {
  totals: { posts: 1_234, reactions: 5_678, follows: 90, deleted: 1, unknown: 0 },
  mismatches: [] as string[],
  unreadable: null,
  gaveUp: new Map<string, number>(),
}

t.test('the verdict ends with what was compared, and names each reason against success', async (t) => {
  t.strictSame(verdict(findings, false), [
    "ledger agrees: the server's content matches the 1,234 posts, 5,678 reactions, 90 follows and 1 deletion that it acknowledged",
  ])
  t.match(verdict({ ...findings, unreadable: '/v1/posts: 500 internal' }, false), [
    'ledger check incomplete: /v1/posts: 500 internal',
  ])
  t.match(verdict({ ...findings, gaveUp: new Map([['ECONNRESET, retries exhausted', 2]]) }, true), [
    '2 robots gave up: ECONNRESET, retries exhausted.',
    /^Interrupted/,
    /^ledger agrees/,
  ])
  t.match(verdict({ ...findings, totals: { ...findings.totals, unknown: 1 } }, false), [
    /^1 write got no response/,
    /agrees/,
  ])
  const many = verdict({ ...findings, mismatches: Array.from({ length: 25 }, (_, i) => `wrong ${i}`) }, false)
  t.equal(many.length, 22)
  t.match(many.slice(-2), ['and 5 more', /^ledger disagrees: .* 25 mismatches/])
})

t.test('a mismatch, an incomplete check, a robot that gave up or a failed action is no success', async (t) => {
  t.ok(isSuccess(findings, []))
  t.notOk(isSuccess({ ...findings, mismatches: ['x'] }, []))
  t.notOk(isSuccess({ ...findings, unreadable: 'x' }, []))
  t.notOk(isSuccess({ ...findings, gaveUp: new Map([['x', 1]]) }, []))
  t.notOk(isSuccess(findings, [{ action: 'post', cause: '500 internal', count: 1 }]))
})

t.test('the report says that data agrees, disagrees, or that nothing can be said', async (t) => {
  t.match(checkOf(findings, false), {
    verdict: 'agrees',
    acknowledged: { posts: 1_234 },
    indeterminate: 0,
    findings: [],
  })
  t.match(checkOf({ ...findings, mismatches: ['a post is lost'], unreadable: 'x' }, false), {
    verdict: 'disagrees',
    findings: [{ text: 'a post is lost' }],
  })
  t.equal(checkOf({ ...findings, unreadable: 'x' }, false).verdict, 'nothing can be said')
  const nothing = {
    totals: { posts: 0, reactions: 0, follows: 0, deleted: 0, unknown: 0 },
    gaveUp: new Map([['timeout', 2]]),
  }
  t.match(checkOf({ ...findings, ...nothing }, false), {
    verdict: 'nothing can be said',
    notes: ['2 robots gave up: timeout.'],
  })
})
