import t, { type Test } from 'tap'
import { testServer } from '../../helper.ts'
import { startCluster } from '../../processes/cluster.ts'
import { env } from './catch-all.ts'
import { catchLiar, smallSize } from './catch-liar.ts'
import { startStranger } from './stranger.ts'

t.test('an honest server causes no alarm, alone', { timeout: 240_000 }, async (t) => {
  await causesNoAlarm(t, (await testServer(t, env)).url, true)
})

t.test('an honest server with 4 processes causes no alarm', { timeout: 240_000 }, async (t) => {
  await causesNoAlarm(t, (await startCluster(t, 4, env)).url, false)
})

t.test('a stranger who likes, replies and follows causes no alarm', { timeout: 240_000 }, async (t) => {
  const { url } = await testServer(t, env)
  const stranger = await startStranger(url)
  let acts = 0
  await causesNoAlarm(t, url, false).finally(async () => {
    acts = await stranger.stop()
  })
  t.ok(acts > 20, `${acts} posts had visits of the stranger`)
})

async function causesNoAlarm(t: Test, url: string, alone: boolean) {
  const { findings, checked } = await catchLiar(null, url, { seed: 1, size: smallSize, alone })
  t.strictSame(findings, [])
  t.ok(checked > 1_000, `${checked} comparisons`)
}
