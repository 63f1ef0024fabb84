import t from 'tap'
import { refusalPace } from '../../src/limits/refusal-pace.ts'
import { testServer } from '../helper.ts'
import { attemptLogin, countStatuses } from './login-attempts.ts'

t.test('100 refusals of a network are sent at once, further ones 50 ms apart', async (t) => {
  let nowMs = 0
  const delayMsOf = refusalPace(() => nowMs)
  const delays = (count: number, network = 'one') => Array.from({ length: count }, () => delayMsOf(network))
  t.same(new Set(delays(100)), new Set([0]))
  t.same(delays(3), [50, 100, 150])
  t.same(delays(1, 'another'), [0])
  nowMs += 1_000
  t.same(new Set(delays(17)), new Set([0]), 'what a second allows, less the three')
  t.same(delays(1), [50])
  nowMs += 60_000
  t.same(new Set(delays(100)), new Set([0]), 'a quiet network has them all again')
})

t.test('no refusal is held back for more than 4 s; those that would be are spread over the last half', async (t) => {
  let drawn = 0
  const delayMsOf = refusalPace(
    () => 0,
    () => drawn,
  )
  const delays = Array.from({ length: 1_000 }, () => delayMsOf('one'))
  t.equal(Math.max(...delays), 4_000)
  t.equal(delayMsOf('one'), 4_000)
  drawn = 0.999
  t.ok(delayMsOf('one') > 2_000 && delayMsOf('one') < 2_100)
})

t.test('40 clients that repeat refused logins are refused 20 times a second, not as fast as they ask', async (t) => {
  const { app, port } = await testServer(t, { LIMIT_FAILED_LOGINS_PER_ADDRESS: '1' })
  await attemptLogin(port, 'ann')
  const answers: Awaited<ReturnType<typeof attemptLogin>>[] = []
  const startedMs = performance.now()
  const isOver = () => performance.now() - startedMs > 2_000
  const loop = async () => {
    while (!isOver()) answers.push(await attemptLogin(port, 'ann'))
  }
  await Promise.all(Array.from({ length: 40 }, loop))
  const seconds = (performance.now() - startedMs) / 1_000
  const { 429: refused = 0, ...others } = countStatuses(answers)
  t.same(others, {})
  t.ok(refused <= 100 + 20 * seconds + 40, `${refused} in ${seconds} s`)
  if (!app) return

  const late = Array.from({ length: 150 }, () => attemptLogin(port, 'ann').catch(() => undefined))
  const closedMs = performance.now()
  await app.close()
  await Promise.all(late)
  t.ok(performance.now() - closedMs < 30_000, 'a server that closes waits for none of them')
})
