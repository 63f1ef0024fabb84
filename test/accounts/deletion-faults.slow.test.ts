import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { password, retry503, signUp, testConfig, testServer } from '../helper.ts'
import { serverOn, sharedKey } from '../sessions/servers.ts'
import { countMismatches, deleteAccount, documentsOf, idOf } from './count-invariants.ts'

const limits = { LIMIT_SIGNUPS_PER_ADDRESS: '100000', LIMIT_WRITES_PER_ADDRESS: '1000000' }

/** One server behind a proxy, and another one that reaches MongoDB directly. */
async function setUp(t: Test) {
  const second = await testServer(t, { ...sharedKey, ...limits })
  const proxy = await cuttableProxy(t, Number(new URL(second.connection.uri).port))
  const connection = { ...second.connection, uri: proxy.uri(second.db.databaseName) }
  const config = await testConfig(connection, { ...sharedKey, ...limits })
  const app = await buildApp(config, connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  const first = await app.listen({ host: '127.0.0.1', port: 0 })
  return { proxy, first, second: second.url, db: second.db, connection: second.connection }
}

/** Likes posts until it is stopped, and measures the longest time in which no like succeeded. */
async function keepLiking(url: string) {
  const users = await Promise.all(Array.from({ length: 4 }, () => signUp(url)))
  const { id } = (await users[0]?.client.post<{ id: string }>('v1/posts', { json: { text: '.' } }))?.body ?? { id: '' }
  let isOver = false
  let lastAt = performance.now()
  let longestMs = 0
  const refused: number[] = []
  const running = users.map(async ({ client }) => {
    for (let n = 0; !isOver; n += 1) {
      const { statusCode } = await client.put(`v1/posts/${id}/reaction`, {
        json: { value: n % 2 ? 'like' : 'dislike' },
      })
      longestMs = Math.max(longestMs, performance.now() - lastAt)
      if (statusCode === 200) lastAt = performance.now()
      else refused.push(statusCode)
      await delay(10)
    }
  })
  return async () => {
    isOver = true
    await Promise.all(running)
    return { longestMs, refused }
  }
}

t.test('a server that dies in the commit of a deletion stops no writer of another server', async (t) => {
  const { proxy, first, second, db } = await setUp(t)
  const ann = await signUp(first)
  await ann.client.post('v1/session/confirm', { json: { password } })
  const stop = await keepLiking(second)
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 1 })
  void ann.client.delete('v1/account').catch(() => undefined)
  await eventually(() => proxy.cuts() === 1)
  proxy.disconnect()
  await delay(8_000)
  const { longestMs, refused } = await stop()
  t.same(refused, [])
  t.ok(longestMs < 6_000, `the longest pause was ${Math.round(longestMs)} ms`)
  t.ok(await db.collection('accounts').findOne({ username: ann.username }), 'the deletion was not committed')
})

t.test('a deletion whose commit is lost stops no other writer of its server', async (t) => {
  const { proxy, first, db } = await setUp(t)
  const ann = await signUp(first)
  await ann.client.post('v1/session/confirm', { json: { password } })
  const stop = await keepLiking(first)
  // Commits of likes pass, or are lost in place of the deletion's: neither stops the others for long.
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 2 })
  const { statusCode } = await ann.client.delete('v1/account')
  await delay(3_000)
  const { longestMs } = await stop()
  t.ok([204, 503].includes(statusCode), `${statusCode}`)
  t.ok(longestMs < 8_000, `the longest pause was ${Math.round(longestMs)} ms`)
  t.same(await countMismatches(db), [])
})

t.test('60 accounts that are deleted at once on two servers are deleted, while others like posts', async (t) => {
  const { first, second, db, connection } = await setUp(t)
  const users = []
  for (let n = 0; n < 60; n += 10) {
    users.push(...(await Promise.all(Array.from({ length: 10 }, (_, m) => signUp(m % 2 ? first : second)))))
  }
  const ids = await Promise.all(users.map(idOf))
  for (const [n, { client }] of users.entries()) {
    const other = users[(n + 1) % users.length]?.username ?? ''
    await client.put(`v1/accounts/${other}/follow`)
  }
  const stop = await keepLiking(await serverOn(t, connection, limits))
  const statuses = await Promise.all(users.map(deleteAccount))
  const { longestMs } = await stop()
  const deleted = statuses.filter((status) => status === 204)
  t.ok(deleted.length > 45, `${deleted.length} are deleted at the first try, whatever else the machine does`)
  t.ok(longestMs < 4_000, `the longest pause was ${Math.round(longestMs)} ms`)
  for (const [n, user] of users.entries()) {
    if (statuses[n] !== 204) await retry503(async () => ({ statusCode: await deleteAccount(user) }))
  }
  await eventually(async () => (await Promise.all(ids.map((id) => documentsOf(db, id)))).every(isEmpty))
  t.same(await countMismatches(db), [])
})

const isEmpty = (found: object) => Object.keys(found).length === 0
