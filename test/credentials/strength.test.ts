import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { sharedEstimator, strengthEstimator } from '../../src/credentials/strength.ts'
import { makeClient, password, testServer } from '../helper.ts'

// Every character is a look-alike of several letters: zxcvbn tries 100 combinations for some seconds.
const slowPassword = '4@8({[<369&#!1|/0$5+72%'.repeat(11)

t.test('concurrent estimates resolve with the right values, the same for the same password', async (t) => {
  const strength = strengthEstimator()
  t.teardown(() => strength.close())
  const [easy, hard, again] = await Promise.all(
    ['passwordpassword', 'vexed 9 quartz; jumbo lynx', 'passwordpassword'].map(strength.guesses),
  )
  t.ok(easy !== undefined && easy < 1e8, `${easy}`)
  t.ok(hard !== undefined && hard > 1e12, `${hard}`)
  t.equal(again, easy, 'same estimate')
})

t.test(
  'an estimate that takes too long resolves with undefined, and the next one is made',
  { timeout: 120_000 },
  async (t) => {
    const strength = strengthEstimator(500, 100)
    t.teardown(() => strength.close())
    let isTicking = true
    const ticking = (async () => {
      let turns = 0
      for (; isTicking; turns += 1) await new Promise((resolve) => setTimeout(resolve, 10))
      return turns
    })()
    const [timedOut, next] = await Promise.all([
      strength.guesses(slowPassword),
      strength.guesses('vexed 9 quartz; jumbo lynx'),
    ])
    isTicking = false
    t.equal(timedOut, undefined)
    t.ok(next !== undefined && next > 1e12, `${next}`)
    t.ok((await ticking) > 20, 'the event loop was not blocked')
  },
)

t.test('close ends the thread, also without one and during an estimate', async (t) => {
  await strengthEstimator().close()
  const strength = strengthEstimator()
  await strength.guesses('passwordpassword')
  await strength.close()
  const early = strengthEstimator()
  const estimate = early.guesses('passwordpassword')
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.all([early.close(), t.rejects(estimate, { message: /closed/ }, 'the pending estimate rejects')])
})

t.test('a thread that exits rejects the pending estimate, and the next estimate starts another', async (t) => {
  const strength = strengthEstimator(3_000, 100)
  t.teardown(() => strength.close())
  await strength.guesses('passwordpassword')
  const pending = strength.guesses(slowPassword)
  await new Promise((resolve) => setTimeout(resolve, 50))
  await Promise.all([strength.close(), t.rejects(pending, { message: /closed/ })])
  await strength.close()
  const next = await strength.guesses('vexed 9 quartz; jumbo lynx')
  t.ok(next !== undefined && next > 1e12, `${next}`)
})

t.test('an idle estimator keeps no process alive, neither warmed nor used', async (t) => {
  const module = new URL('../../src/credentials/strength.ts', import.meta.url)
  const program = `import { sharedEstimator } from '${module}'
    sharedEstimator.warm()
    if (process.argv[1] === 'estimate') process.stdout.write(String((await sharedEstimator.guesses('passwordpassword')) > 1))`
  for (const [mode, output] of [
    ['warm', ''],
    ['estimate', 'true'],
  ] as const) {
    const child = spawn(process.execPath, ['--eval', program, mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
    t.same({ code, out }, { code: 0, out: output }, mode)
  }
})

t.test(
  'apps in one process share an estimator: it survives the close of an app and another estimator’s timeout',
  async (t) => {
    const [first, second] = [await testServer(t), await testServer(t)]
    const signUp = async (url: string, username: string) =>
      (await makeClient(url).post('v1/accounts', { json: { username, password } })).statusCode
    t.equal(await signUp(first.url, 'ann'), 201)
    const pending = signUp(second.url, 'bob')
    await first.app.close()
    t.equal(await pending, 201)
    t.equal(await signUp(second.url, 'cat'), 201)

    const impatient = strengthEstimator(500, 100)
    t.teardown(() => impatient.close())
    const [timedOut, shared, next] = await Promise.all([
      impatient.guesses(slowPassword),
      sharedEstimator.guesses(password),
      impatient.guesses(password),
    ])
    t.equal(timedOut, undefined)
    t.ok(shared !== undefined && shared === next, `${shared}, ${next}`)
  },
)

t.test('look-alike characters cost little, and are still recognised', async (t) => {
  const strength = strengthEstimator()
  t.teardown(() => strength.close())
  await strength.guesses(password)
  const before = process.cpuUsage()
  for (let n = 0; n < 10; n += 1) await strength.guesses(slowPassword.slice(n, n + 64))
  const { user, system } = process.cpuUsage(before)
  const cpuMs = (user + system) / 1_000
  t.ok(cpuMs < 5_000, `ten of the slowest took ${Math.round(cpuMs)} ms of CPU`)
  for (const weak of ['p@ssw0rdp@ssw0rd', 'l3tm31n!l3tm31n!', 'b4$3b411b4$3b411', 'qw3rty123456789']) {
    const guesses = await strength.guesses(weak)
    t.ok(guesses !== undefined && guesses < 1e8, `${weak}: ${guesses}`)
  }
})
