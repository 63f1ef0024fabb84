import t from 'tap'
import { eventually } from '../eventually.ts'
import { signUp, testServer } from '../helper.ts'
import { serverOn, twoServers } from '../sessions/servers.ts'
import { openStream, post } from './event-stream.ts'

t.test(
  'a stream resumes after the last event: on the same server, another, and one that has just started',
  async (t) => {
    const { urls, connection } = await twoServers(t)
    const [url] = urls
    const { client } = await signUp(url)
    const first = await openStream(t, url)
    const seen = await post(client, 'seen')
    const { id } = await first.until('post', seen)
    first.close()
    const missed = await post(client, 'missed')
    const deleted = await post(client, 'deleted')
    await client.patch(`v1/posts/${missed}`, { json: { text: 'edited' } })
    await client.put(`v1/posts/${seen}/reaction`, { json: { value: 'dislike' } })
    await client.delete(`v1/posts/${deleted}`)

    for (const each of [...urls, await serverOn(t, connection)]) {
      const resumed = await openStream(t, each, { headers: { 'last-event-id': id } })
      await resumed.until('removed', deleted)
      const kinds = resumed.events.map(({ event, data }) => `${event} ${data.id}`)
      t.same(
        kinds.filter((name) => !name.startsWith('counts')).slice(0, 3),
        [`post ${missed}`, `edited ${missed}`, `removed ${deleted}`],
        each,
      )
      t.notMatch(resumed.text, /"deleted"|"missed"/, 'posts are shown as they are now')
      t.match((await resumed.until('counts', seen)).data, { counts: { dislikes: 1 } })
      const live = await post(client, 'live')
      await resumed.until('post', live)
    }
    const opened = /^id: (\w+)$/m.exec(first.text)?.[1] ?? ''
    const fromStart = await openStream(t, urls[1], { headers: { 'last-event-id': opened } })
    await fromStart.until('post', seen)
  },
)

t.test('a position that is too old, or in the future, gets `lagged` with one to go on from', async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  for (const id of ['000000010000000000000001', 'f'.repeat(24)]) {
    const stream = await openStream(t, url, { headers: { 'last-event-id': id } })
    await eventually(() => stream.hasEnded)
    t.same(stream.names(), ['lagged unknown-position'])
    const next = await openStream(t, url, { headers: { 'last-event-id': stream.lastId } })
    await next.until('post', await post(client, 'later'))
  }
})
