import t from 'tap'
import type { Finding } from '../../../bot/check/finding.ts'
import type { Findings } from '../../../bot/crowd.ts'
import { checkOf, isSuccess } from '../../../bot/report/verdict.ts'

const totals = {
  ...{ created: 1_300, posts: 1_234, reactions: 5_678, follows: 90, secondFactors: 2 },
  ...{ checked: 4_321, pinned: 0, open: 0, foreign: 0 },
}
const findings: Findings = { findings: [], totals, unreadable: null, gaveUp: new Map() }
const finding: Finding = {
  ...{ rule: 'R', object: 'text:ann/0', expected: '"like"', seen: 'null', requestIds: ['write-1', 'read-2'] },
  times: { sent: 10, answered: 22 },
}

t.test('the summary says what was compared, the notes what else happened', async (t) => {
  t.match(checkOf(findings), {
    verdict: 'agrees',
    summary: 'ledger agrees: 4,321 comparisons, at the end with 1,234 posts, 5,678 reactions and 90 follows that stand',
    notes: [],
    acknowledged: { posts: 1_234, secondFactors: 2 },
  })
  const eventful = {
    ...findings,
    gaveUp: new Map([['timeout', 2]]),
    totals: { ...totals, pinned: 3, open: 1, foreign: 2 },
  }
  t.strictSame(checkOf(eventful).notes, [
    '2 robots gave up: timeout.',
    'Of the writes without an answer, reads showed 3 to have happened; 1 stayed open.',
    'Other accounts took part: 2 items of theirs.',
  ])
})

t.test('data agrees, disagrees, or nothing can be said', async (t) => {
  t.match(checkOf({ ...findings, findings: [finding], unreadable: 'x' }), {
    verdict: 'disagrees',
    summary: 'ledger disagrees: 1 contradiction in 4,321 comparisons',
    findings: [{ rule: 'R', text: 'R text:ann/0: expected "like", seen null (write-1, read-2, in 12 ms)' }],
  })
  const unreadable = checkOf({ ...findings, unreadable: '/v1/posts: 500' })
  t.match(unreadable, { verdict: 'nothing can be said', summary: 'ledger check incomplete: /v1/posts: 500' })
  t.match(checkOf({ ...findings, totals: { ...totals, created: 0 } }), {
    verdict: 'nothing can be said',
    summary: 'nothing can be said: the server acknowledged no post',
  })
  const deleted = { ...totals, posts: 0, reactions: 0, follows: 0 }
  t.equal(checkOf({ ...findings, totals: deleted }).verdict, 'agrees', 'that they are deleted was compared')
})

t.test('a contradiction, an incomplete check, a robot that gave up or a failed action is no success', async (t) => {
  t.ok(isSuccess(findings, []))
  t.notOk(isSuccess({ ...findings, findings: [finding] }, []))
  t.notOk(isSuccess({ ...findings, unreadable: 'x' }, []))
  t.notOk(isSuccess({ ...findings, gaveUp: new Map([['x', 1]]) }, []))
  t.notOk(isSuccess(findings, [{ action: 'post', cause: '500 internal', count: 1 }]))
})
