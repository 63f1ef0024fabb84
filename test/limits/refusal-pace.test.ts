import t from 'tap'
import { refusalPace } from '../../src/limits/refusal-pace.ts'
import { password, signUp, testServer } from '../helper.ts'
import { attemptLogin, countStatuses } from './login-attempts.ts'

t.test('30 refusals of a network are sent at once, further ones 50 ms apart', async (t) => {
  let nowMs = 0
  const delayMsOf = refusalPace(() => nowMs)
  const delays = (count: number, network = 'one') => Array.from({ length: count }, () => delayMsOf(network))
  t.same(new Set(delays(30)), new Set([0]))
  t.same(delays(3), [50, 100, 150])
  t.same(delays(1, 'another'), [0])
  nowMs += 1_000
  t.same(new Set(delays(17)), new Set([0]), 'what a second allows, less the three')
  t.same(delays(1), [50])
  nowMs += 60_000
  t.same(new Set(delays(30)), new Set([0]), 'a quiet network has them all again')
})

t.test('200 refusals of all networks together are sent at once, further ones 10 ms apart', async (t) => {
  let nowMs = 0
  const delayMsOf = refusalPace(
    () => nowMs,
    () => 0,
  )
  const delays = (count: number) => Array.from({ length: count }, (_, n) => delayMsOf(`network ${n}`))
  t.same(new Set(delays(200)), new Set([0]))
  t.same(delays(3), [10, 20, 30])
  t.equal(Math.max(...delays(1_000)), 4_000, 'none is held back for longer')
  nowMs += 60_000
  t.same(new Set(delays(200)), new Set([0]), 'after a quiet minute they have them all again')
})

t.test('the longer of the two delays counts', async (t) => {
  const delayMsOf = refusalPace(() => 0)
  for (let n = 0; n < 32; n += 1) delayMsOf('busy')
  t.equal(delayMsOf('busy'), 150, 'that of its network')
  for (let n = 0; n < 180; n += 1) delayMsOf(`network ${n}`)
  t.equal(delayMsOf('new'), 140, 'that of all')
  t.equal(delayMsOf('busy'), 200)
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
  t.ok(refused <= 30 + 20 * seconds + 40, `${refused} in ${seconds} s`)
  if (!app) return

  const late = Array.from({ length: 150 }, () => attemptLogin(port, 'ann').catch(() => undefined))
  const closedMs = performance.now()
  await app.close()
  await Promise.all(late)
  t.ok(performance.now() - closedMs < 30_000, 'a server that closes waits for none of them')
})

t.test('refused confirmations and changes of a password share the pace of their network', async (t) => {
  const { url } = await testServer(t, { LIMIT_WRITES_PER_ACCOUNT: '1' })
  const { client } = await signUp(url)
  // The session's only one.
  t.equal((await client.post('v1/session/confirm', { json: { password } })).statusCode, 200)
  const startedMs = performance.now()
  const statuses = Array.from({ length: 60 }, async (_, n) => {
    const answer =
      n % 2 === 0
        ? client.post('v1/session/confirm', { json: { password } })
        : client.put('v1/account/password', { json: { currentPassword: password, newPassword: password } })
    return (await answer).statusCode
  })
  t.same(new Set(await Promise.all(statuses)), new Set([429]))
  const elapsedMs = performance.now() - startedMs
  t.ok(elapsedMs >= 1_450, `30 at once and 30 more, 20 a second: ${elapsedMs} ms`)
})

t.test('refused reads have that pace, too: a client that repeats them takes no CPU time from others', async (t) => {
  const { url } = await testServer(t, { LIMIT_READS_PER_ADDRESS: '1' })
  const startedMs = performance.now()
  const statuses = await Promise.all(Array.from({ length: 80 }, async () => (await fetch(`${url}/v1/posts`)).status))
  t.same(new Set(statuses), new Set([200, 429]))
  const refused = statuses.filter((status) => status === 429).length
  t.ok(refused >= 60, `${refused} refused`)
  const elapsedMs = performance.now() - startedMs
  t.ok(elapsedMs >= 1_450, `30 at once and 30 more, 20 a second: ${elapsedMs} ms`)
})
