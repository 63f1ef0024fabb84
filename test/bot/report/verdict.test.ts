import t from 'tap'
import { checkOf, isSuccess } from '../../../bot/report/verdict.ts'

const findings = {
  totals: { posts: 1_234, reactions: 5_678, follows: 90, deleted: 1, unknown: 0 },
  mismatches: [] as string[],
  unreadable: null,
  gaveUp: new Map<string, number>(),
}

t.test('the summary says what was compared', async (t) => {
  const all = 'the 1,234 posts, 5,678 reactions, 90 follows and 1 deletion that it acknowledged'
  t.equal(checkOf(findings).summary, `ledger agrees: the server's content matches ${all}`)
  t.equal(checkOf({ ...findings, unreadable: '/v1/posts: 500' }).summary, 'ledger check incomplete: /v1/posts: 500')
  t.equal(
    checkOf({ ...findings, mismatches: ['x', 'y'] }).summary,
    `ledger disagrees: the server's content has 2 mismatches with ${all}`,
  )
})

t.test('a mismatch, an incomplete check, a robot that gave up or a failed action is no success', async (t) => {
  t.ok(isSuccess(findings, []))
  t.notOk(isSuccess({ ...findings, mismatches: ['x'] }, []))
  t.notOk(isSuccess({ ...findings, unreadable: 'x' }, []))
  t.notOk(isSuccess({ ...findings, gaveUp: new Map([['x', 1]]) }, []))
  t.notOk(isSuccess(findings, [{ action: 'post', cause: '500 internal', count: 1 }]))
})

t.test('the report says that data agrees, disagrees, or that nothing can be said', async (t) => {
  t.match(checkOf(findings), {
    verdict: 'agrees',
    acknowledged: { posts: 1_234 },
    indeterminate: 0,
    findings: [],
  })
  t.match(checkOf({ ...findings, mismatches: ['a post is lost'], unreadable: 'x' }), {
    verdict: 'disagrees',
    findings: [{ text: 'a post is lost' }],
  })
  t.equal(checkOf({ ...findings, unreadable: 'x' }).verdict, 'nothing can be said')
  const nothing = {
    totals: { posts: 0, reactions: 0, follows: 0, deleted: 0, unknown: 0 },
    gaveUp: new Map([['timeout', 2]]),
  }
  t.match(checkOf({ ...findings, ...nothing }), {
    verdict: 'nothing can be said',
    notes: ['2 robots gave up: timeout.'],
  })
})
