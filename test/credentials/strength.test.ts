import t from 'tap'
import { strengthEstimator } from '../../src/credentials/strength.ts'

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
  // Every character may stand for several letters: zxcvbn tries their combinations for some seconds.
  const hanging = '4@8({[<369&#!1|/0$5+72%'.repeat(11)
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
