import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { password, signUp } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { openStream, post } from './event-stream.ts'

/** What was written before an answer is then readable, and has been read. */
async function readAll(): Promise<void> {
  for (let n = 0; n < 3; n += 1) await nextTurn()
}

t.test('no post is sent after the answer to its deletion, by the server that answered', async (t) => {
  const { url } = await twoServers(t)
  const { client } = await signUp(url)
  const stream = await openStream(t, url)
  const sentOf = (id: string) => stream.events.filter(({ event, data }) => event !== 'removed' && data.id === id).length
  const late: string[] = []
  const deleted: { id: string; sent: number }[] = []
  async function createAndDelete(): Promise<void> {
    const id = await post(client, 'short-lived')
    const edited = client.patch(`v1/posts/${id}`, { json: { text: 'edited' } })
    const { statusCode } = await client.delete(`v1/posts/${id}`)
    await readAll()
    deleted.push({ id, sent: sentOf(id) })
    if (statusCode !== 204) late.push(`answered ${statusCode}`)
    await edited
  }
  for (let n = 0; n < 10; n += 1) await Promise.all(Array.from({ length: 10 }, createAndDelete))
  for (const { id } of deleted) await stream.until('removed', id)
  for (const { id, sent } of deleted) if (sentOf(id) !== sent) late.push(id)
  t.same(late, [])
})

t.test('no post of a deleted account is sent, on any server', async (t) => {
  const { url, urls } = await twoServers(t)
  const [ann, bob] = [await signUp(url), await signUp(url)]
  const seen = await openStream(t, urls[1])
  const ids = [await post(ann.client, 'one'), await post(ann.client, 'two')]
  const { id } = await seen.until('post', ids[0])
  await seen.until('post', ids[1])
  await ann.client.post('v1/session/confirm', { json: { password } })
  const { statusCode } = await ann.client.delete('v1/account')
  t.equal(statusCode, 204)
  for (const each of urls) {
    const resumed = await openStream(t, each, { headers: { 'last-event-id': id } })
    const marker = await post(bob.client, 'marker')
    await resumed.until('post', marker)
    await eventually(() =>
      ids.every((post) => resumed.events.some(({ event, data }) => event === 'removed' && data.id === post)),
    )
    t.notMatch(resumed.text, new RegExp(ann.username))
    t.notMatch(resumed.text, /"two"/)
  }
})
