import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { signUp, testServer } from '../../helper.ts'
import { startCluster } from '../../processes/cluster.ts'
import { env } from './catch-all.ts'
import { catchLiar, smallSize } from './catch-liar.ts'

t.test('an honest server causes no alarm, alone', { timeout: 240_000 }, async (t) => {
  await causesNoAlarm(t, (await testServer(t, env)).url, true)
})

t.test('an honest server with 4 processes causes no alarm', { timeout: 240_000 }, async (t) => {
  await causesNoAlarm(t, (await startCluster(t, 4, env)).url, false)
})

t.test('a stranger who likes, replies and follows causes no alarm', { timeout: 240_000 }, async (t) => {
  const { url } = await testServer(t, env)
  const { client } = await signUp(url)
  let [isOver, acts] = [false, 0]
  const stranger = async () => {
    while (!isOver) {
      const { items } = await client.get('v1/posts?limit=20').json<Page>()
      for (const { id, author } of items) {
        await client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
        await client.post('v1/posts', { json: { text: 'A stranger replies.', replyTo: id } })
        await client.put(`v1/accounts/${author.username}/follow`)
        acts += 1
      }
      await setTimeout(20)
    }
  }
  const acting = stranger()
  await causesNoAlarm(t, url, false).finally(() => {
    isOver = true
  })
  await acting
  t.ok(acts > 20, `${acts} posts had visits of the stranger`)
})

type Page = { items: { id: string; author: { username: string } }[] }

async function causesNoAlarm(t: Test, url: string, alone: boolean) {
  const { findings, checked } = await catchLiar(null, url, { seed: 1, size: smallSize, alone })
  t.strictSame(findings, [])
  t.ok(checked > 1_000, `${checked} comparisons`)
}
