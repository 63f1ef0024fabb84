import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { sharedEstimator, strengthEstimator } from '../../src/credentials/strength.ts'
import { makeClient, password, testServer } from '../helper.ts'
import { nodeCommand } from '../node-command.ts'

// Every character may stand for several letters: zxcvbn tries their combinations for some seconds.
const hanging = '4@8({[<369&#!1|/0$5+72%'.repeat(11)

t.test('estimates in the order they were asked for', async (t) => {
  const strength = strengthEstimator()
  t.teardown(() => strength.close())
  const [easy, hard, again] = await Promise.all(
    ['passwordpassword', 'vexed 9 quartz; jumbo lynx', 'passwordpassword'].map(strength.guesses),
  )
  t.ok(easy !== undefined && easy < 1e8, `${easy}`)
  t.ok(hard !== undefined && hard > 1e12, `${hard}`)
  t.equal(again, easy, 'the same password is worth the same')
})

t.test('one that takes too long is given up, and the next is estimated', { timeout: 120_000 }, async (t) => {
  const strength = strengthEstimator(500)
  t.teardown(() => strength.close())
  let alive = true
  const ticking = (async () => {
    let turns = 0
    for (; alive; turns += 1) await new Promise((resolve) => setTimeout(resolve, 10))
    return turns
  })()
  const [hung, next] = await Promise.all([strength.guesses(hanging), strength.guesses('vexed 9 quartz; jumbo lynx')])
  alive = false
  t.equal(hung, undefined)
  t.ok(next !== undefined && next > 1e12, `${next}`)
  t.ok((await ticking) > 20, 'and the event loop went on meanwhile')
})

t.test('closing ends the thread, whether or not there was one', async (t) => {
  await strengthEstimator().close()
  const strength = strengthEstimator()
  await strength.guesses('passwordpassword')
  await strength.close()
  const early = strengthEstimator()
  const estimate = early.guesses('passwordpassword')
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.all([early.close(), t.rejects(estimate, { message: /closed/ }, 'what was begun is not left hanging')])
})

t.test('neither a warm estimator nor one that has estimated keeps a process alive', async (t) => {
  const module = new URL('../../src/credentials/strength.ts', import.meta.url)
  const program = `import { sharedEstimator } from '${module}'
    sharedEstimator.warm()
    if (process.argv[1] === 'estimate') process.stdout.write(String((await sharedEstimator.guesses('passwordpassword')) > 1))`
  for (const [what, said] of [
    ['warm', ''],
    ['estimate', 'true'],
  ] as const) {
    const child = spawn(...nodeCommand(['--eval', program, what]), {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
    t.same({ code, out }, { code: 0, out: said }, what)
  }
})

t.test(
  'apps of one process share an estimator: closing one, or a password that takes too long, harms no other',
  async (t) => {
    const [one, other] = [await testServer(t), await testServer(t)]
    const signUp = async (url: string, username: string) =>
      (await makeClient(url).post('v1/accounts', { json: { username, password } })).statusCode
    t.equal(await signUp(one.url, 'ann'), 201)
    const begun = signUp(other.url, 'bob')
    await one.app.close()
    t.equal(await begun, 201)
    t.equal(await signUp(other.url, 'cat'), 201)

    const hasty = strengthEstimator(500)
    t.teardown(() => hasty.close())
    const [hung, meanwhile, next] = await Promise.all([
      hasty.guesses(hanging),
      sharedEstimator.guesses(password),
      hasty.guesses(password),
    ])
    t.equal(hung, undefined)
    t.ok(meanwhile !== undefined && meanwhile === next, `${meanwhile}, ${next}`)
  },
)
