import t, { type Test } from 'tap'
import { forEachConcurrent } from '../../../bot/concurrency.ts'
import { testServer } from '../../helper.ts'
import { catchLiar } from './catch-liar.ts'
import { liars } from './liars.ts'

/** Twenty runs at once log in with wrong passwords from one address. */
const env = { LIMIT_FAILED_LOGINS_PER_ADDRESS: '1000', LIMIT_FAILED_LOGINS_PER_NETWORK: '1000' }
const maxConcurrentRuns = 5

t.test('each of twenty liars is caught by the right rule, beside the others', { timeout: 480_000 }, async (t) => {
  t.equal(liars.length, 20)
  const { url } = await testServer(t, env)
  await forEachConcurrent(liars, maxConcurrentRuns, async (liar) => {
    const server = liar.alone ? (await testServer(t, env)).url : url
    const { isCaught, rules, findings } = await catchLiar(liar, server, 1)
    t.ok(isCaught, `${liar.name}: ${rules.join(', ')}`, { findings: findings.slice(0, 3) })
  })
})

t.test('an honest server causes no alarm, alone', { timeout: 240_000 }, async (t) => {
  await causesNoAlarm(t, (await testServer(t, env)).url, true)
})

async function causesNoAlarm(t: Test, url: string, alone: boolean) {
  const { findings, checked } = await catchLiar(null, url, 1, alone)
  t.strictSame(findings, [])
  t.ok(checked > 1_000, `${checked} comparisons`)
}
