import t from 'tap'
import { Register } from '../../../bot/check/register.ts'
import { effectOf } from '../../../bot/history/operation.ts'

const outcomes = (register: Register, values: (string | null)[], sentAt: number, answeredAt: number) =>
  values.map((value) => register.read(value, sentAt, answeredAt).outcome === 'explained')

t.test('an acknowledged write is read from its answer on, and no earlier value after it', async (t) => {
  const register = new Register('reaction:ann:bob/1', null)
  const like = register.begin('like', 10)
  t.same(register.possibleValues(), [null, 'like'])
  register.end(like, 'acknowledged', 20, 'a')
  t.same(outcomes(register, [null], 15, 25), [true], 'a read that was sent before the answer')
  t.same(outcomes(register, [null, 'dislike', 'like'], 21, 25), [false, false, true])
})

t.test('once a write in progress has been read, no later read returns the value before it', async (t) => {
  const register = new Register('reaction:ann:bob/1', null)
  register.begin('like', 10)
  t.ok(register.read('like', 11, 15))
  t.same(outcomes(register, [null], 14, 18), [true], 'a concurrent read may')
  t.same(outcomes(register, [null], 16, 18), [false])
})

t.test('a write that was refused is not a possible value', async (t) => {
  const register = new Register('reaction:ann:bob/1', null)
  register.end(register.begin('like', 10), 'refused', 20, null)
  t.same(outcomes(register, ['like', null], 12, 25), [false, true])
})

t.test('an indeterminate write may show until a later one is acknowledged, a late one also after it', async (t) => {
  for (const effect of ['indeterminate', 'late'] as const) {
    const register = new Register('reaction:ann:bob/1', null)
    register.end(register.begin('like', 10), effect, 20, null)
    t.same(register.possibleValues(), [null, 'like'], effect)
    t.same(outcomes(register, [null], 30, 35), [true], effect)
    register.end(register.begin('dislike', 40), 'acknowledged', 50, 'b')
    t.same(outcomes(register, ['like', 'dislike'], 60, 65), [effect === 'late', true], effect)
  }
})

t.test('a late write that was seen does not come back after a write that was sent later', async (t) => {
  const register = new Register('reaction:ann:bob/1', null)
  register.end(register.begin('like', 10), 'late', 20, null)
  t.same(outcomes(register, ['like'], 30, 35), [true])
  register.end(register.begin(null, 40), 'acknowledged', 50, 'b')
  t.same(outcomes(register, ['like', null], 60, 65), [false, true])
})

t.test('what an answer says about the effect of its request', async (t) => {
  for (const [status, cause, effect] of [
    [200, '200', 'acknowledged'],
    [404, '404 not-found', 'refused'],
    [429, '429 rate-limited', 'refused'],
    [503, '503 overloaded', 'refused'],
    [503, '503 database-unavailable', 'refused'],
    [503, '503 outcome-unknown', 'indeterminate'],
    [500, '500 internal', 'indeterminate'],
    [502, '502', 'indeterminate'],
    [null, 'ECONNRESET', 'indeterminate'],
    [null, 'timeout', 'late'],
    [504, '504', 'late'],
  ] as const)
    t.equal(effectOf({ status, cause }), effect, cause)
})
