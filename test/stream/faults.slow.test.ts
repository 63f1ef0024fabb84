import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, signUp, testServer } from '../helper.ts'
import { serverOn } from '../sessions/servers.ts'
import { cookieOf, openStream, post } from './event-stream.ts'

const options = { timeout: 120_000 }

t.test('an outage of the database ends no stream: its events come late, once, and in order', options, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const there = await serverOn(t, connection)
  const here = await serverOn(t, { ...connection, uri: proxy.uri(db.databaseName) })
  const { client } = await signUp(there)
  const headers = await cookieOf(client, there)
  const streams = [
    await openStream(t, here),
    await openStream(t, here, { headers }),
    await openStream(t, here, { path: '/v1/stream?scope=timeline', headers }),
  ]
  const written = [await post(client, 'before')]
  for (const round of [1, 2, 3]) {
    proxy.disconnect()
    for (let n = 0; n < 20; n += 1) written.push(await post(client, `outage ${round}`))
    await sleep(500)
    proxy.reconnect()
    written.push(await post(client, `after ${round}`))
  }
  proxy.cut({ command: 'getMore', when: 'answered', times: 5 })
  for (let n = 0; n < 20; n += 1) written.push(await post(client, 'answers are lost'))
  proxy.cut({ command: 'getMore', when: 'never', times: 1 })
  for (let n = 0; n < 20; n += 1) written.push(await post(client, 'no answer comes'))
  await sleep(1_000)
  written.push(await post(client, 'last'))
  for (const stream of streams) {
    await stream.until('post', written.at(-1))
    const received = stream.events.filter(({ event }) => event === 'post').map(({ data }) => data.id)
    t.same(received, written)
    t.notOk(stream.hasEnded)
  }
})

t.test('a client that does not read is told that it lags, and continues where it was', options, async (t) => {
  const { app, db, url } = await testServer(t)
  const { client } = await signUp(url)
  const [slow, other] = [await openStream(t, url), await openStream(t, url)]
  const first = await post(client, 'first')
  await slow.until('post', first)
  await other.until('post', first)
  slow.pause()
  // More than the operating system buffers of a connection.
  const posts = db.collection<PostDocument>('posts')
  const stored = await posts.findOne({})
  const added = Array.from({ length: 6_000 }, () => ({ ...stored, _id: toUuid(newId()), text: '🐧'.repeat(500) }))
  // Copies of a post.
  for (let n = 0; n < added.length; n += 200) await posts.insertMany(added.slice(n, n + 200) as PostDocument[])
  const ids = added.map(({ _id }) => _id.toString())
  const last = ids.at(-1) ?? ''
  await other.until('post', last)
  await client.delete(`v1/posts/${last}`)
  await other.until('removed', last)
  await eventually(async () => /^rookery_streams_lagged_total.*slow.* 1$/m.test(await app.metrics.metrics()))
  slow.resume()
  await eventually(() => slow.hasEnded)
  const end = slow.events.at(-1)
  t.match(end, { event: 'lagged', data: { reason: 'slow' } })

  const rest = await openStream(t, url, { headers: { 'last-event-id': slow.lastId } })
  await rest.until('removed', last)
  const received = [...slow.events, ...rest.events].filter(({ event }) => event === 'post').map(({ data }) => data.id)
  t.same(received, [first, ...ids.slice(0, -1)], 'all but the deleted one, once')
  t.ok(slow.events.length < added.length, `${slow.events.length} events before it lagged`)
})

t.test('an idle stream has a heartbeat, and resumes from it in a server that starts later', options, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const url = await serverOn(t, connection)
  const { client } = await signUp(url)
  const stream = await openStream(t, url)
  const opened = stream.lastId
  await eventually(() => /^: heartbeat\nid: \w+$/m.test(stream.text))
  t.same(stream.events, [])
  t.ok(stream.lastId > opened, 'it moves while nothing happens')
  stream.close()
  const missed = await post(client, 'missed')
  const resumed = await openStream(t, await serverOn(t, connection), { headers: { 'last-event-id': stream.lastId } })
  await resumed.until('post', missed)
  await db.collection('posts').drop()
  await eventually(() => resumed.hasEnded)
  t.match(resumed.events.at(-1), { event: 'lagged', data: { reason: 'unknown-position' } }, 'changes were lost')
})
