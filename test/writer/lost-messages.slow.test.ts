import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { countMismatches } from '../accounts/count-invariants.ts'
import { eventually } from '../eventually.ts'
import { faultyServers, keepLiking } from '../fixtures/faulty-servers.ts'
import { signUp } from '../helper.ts'

for (const [name, when] of [
  ['a commit of a batch never arrives', 'never'],
  ['a commit of a batch arrives 6 s late', 'late'],
] as const) {
  t.test(`${name}: its server commits again within seconds, and counts stay exact`, async (t) => {
    const { proxy, first, db } = await faultyServers(t)
    const stop = await keepLiking(first)
    await delay(500)
    proxy.cut({ command: 'commitTransaction', when, times: 1, delayMs: 6_000 })
    await eventually(() => proxy.cuts() === 1)
    await delay(9_000)
    const { longestMs, refused } = await stop()
    // 26 s before transactions ended at their deadlines; now the socket times out after 2.
    t.ok(longestMs < 6_500, `the longest pause was ${Math.round(longestMs)} ms`)
    t.ok(refused.length <= 4, `${refused.length} refused: those of the batch at most`)
    t.same(await countMismatches(db), [])
  })
}

t.test('a server that is killed in the commit of a batch: others write to the same post within seconds', async (t) => {
  const { proxy, first, second, db } = await faultyServers(t)
  const ann = await signUp(first)
  const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: '.' } })).body
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 1 })
  void ann.client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } }).catch(() => undefined)
  await eventually(() => proxy.cuts() === 1)
  proxy.disconnect()
  const stop = await keepLiking(second, id)
  await delay(8_000)
  const { longestMs, refused } = await stop()
  // MongoDB itself would end the transaction after 10 s.
  t.ok(longestMs < 6_500, `the longest pause was ${Math.round(longestMs)} ms`)
  t.same(refused, [])
  t.same(await countMismatches(db), [])
})
