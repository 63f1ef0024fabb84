import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, makeClient, signUp, testConfig } from '../helper.ts'

t.test('while no write is committed the server is not ready, although the database answers', async (t) => {
  const { connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const through = { ...connection, uri: proxy.uri(new URL(connection.uri).pathname.slice(1)) }
  const app = await buildApp(await testConfig(through, { LOG_LEVEL: 'silent' }), through)
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { client } = await signUp(url)
  const write = () => client.post('v1/posts', { json: { text: 'Hello' } })
  const ready = () => makeClient(url).get('health/ready')
  t.equal((await write()).statusCode, 201)
  t.equal((await ready()).statusCode, 200)

  // More than are tried in this time: a single lost commit ends the stall as soon as it shows.
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 1_000 })
  let isHealed = false
  const writer = async () => {
    for (; !isHealed; await delay(50)) await write()
  }
  const writers = [writer(), writer()]
  await eventually(async () => (await ready()).statusCode === 503)
  const answer = await ready()
  if (answer.statusCode === 503)
    t.match(answer.body, { code: 'overloaded', detail: 'The server is not ready: writes wait and none is committed.' })
  t.equal((await makeClient(url).get('health/database')).statusCode, 200)
  proxy.heal()
  isHealed = true
  await Promise.all(writers)
  await eventually(async () => (await write()).statusCode === 201)
  t.equal((await ready()).statusCode, 200)
})
