import { pino } from 'pino'
import t from 'tap'
import { clockCheck } from '../../src/operations/clock-check.ts'

const start = Date.UTC(2026, 10, 28)

/** Our clock, the database's, and the time that a query takes to the database and back, in milliseconds. */
function fakeClocks({ ahead = 0, thereMs = 0, backMs = 0 } = {}) {
  const state = { passed: 0, ahead, thereMs, backMs, queries: 0, isDown: false }
  const lines: string[] = []
  const readTime = async () => {
    state.queries += 1
    if (state.isDown) throw new Error('no answer')
    state.passed += state.thereMs
    const time = new Date(start + state.passed)
    state.passed += state.backMs
    return time
  }
  const clocks = { now: () => start + state.passed + state.ahead, monotonic: () => state.passed }
  const { check } = clockCheck(readTime, pino({}, { write: (line) => void lines.push(line) }), clocks)
  return { state, lines, check }
}

const right = { outcome: 'right' }

t.test('a clock that is off by more than 5 s in either direction is wrong, and one line says what to do', async (t) => {
  for (const [ahead, isRight] of [
    [0, true],
    [5_000, true],
    [-5_000, true],
    [5_001, false],
    [-5_001, false],
    [3 * 86_400_000, false],
  ] as const) {
    const { check, lines } = fakeClocks({ ahead })
    t.same(await check(), isRight ? right : { outcome: 'wrong', offsetMs: ahead }, `${ahead} ms`)
    await check()
    t.equal(lines.length, isRight ? 0 : 1)
    if (!isRight) t.match(JSON.parse(lines[0] ?? ''), { level: 40, offsetMs: ahead, msg: /NTP/ })
  }
})

t.test('half the round trip is subtracted, and what remains uncertain does not make a clock wrong', async (t) => {
  t.same(await fakeClocks({ ahead: 7_000, thereMs: 1_000, backMs: 1_000 }).check(), {
    outcome: 'wrong',
    offsetMs: 7_000,
  })
  t.same(await fakeClocks({ ahead: 5_500, thereMs: 1_000, backMs: 1_000 }).check(), right)
  for (const [thereMs, backMs] of [
    [2_000, 0],
    [0, 2_000],
  ]) {
    t.same(await fakeClocks({ ahead: 4_900, thereMs, backMs }).check(), right, 'all of the delay on one way')
  }
})

t.test('a step of the clock shows at once and without a query, and so does its correction', async (t) => {
  const { state, check, lines } = fakeClocks()
  t.same(await check(), right)
  state.ahead = 3 * 86_400_000
  t.same(await check(), { outcome: 'wrong', offsetMs: state.ahead })
  state.ahead = 0
  t.same(await check(), right)
  t.equal(state.queries, 1)
  t.equal(lines.length, 2)
})

t.test('a measurement is valid for 30 s, concurrent checks share one, and a failed one changes nothing', async (t) => {
  const { state, check } = fakeClocks({ ahead: 6_000 })
  await Promise.all([check(), check(), check()])
  state.passed += 29_999
  await check()
  t.equal(state.queries, 1)
  state.passed += 1
  state.isDown = true
  t.match(await check(), { outcome: 'wrong' }, 'the last measurement still holds')
  t.equal(state.queries, 2)
  state.isDown = false
  t.match(await check(), { outcome: 'wrong' })
  t.equal(state.queries, 3, 'the failed one is repeated at the next check')
  const unreachable = fakeClocks({ ahead: 6_000 })
  unreachable.state.isDown = true
  t.same(await unreachable.check(), right, 'nothing is known')
})
