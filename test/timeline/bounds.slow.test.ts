import { MongoClient } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { collections } from '../../src/collections.ts'
import { newId } from '../../src/database/ids.ts'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { Problem } from '../../src/http/problems.ts'
import { timelineStore } from '../../src/timeline/store.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, signUp, testConfig } from '../helper.ts'
import { hammer } from './hammer.ts'
import { ids, seedFollows, seedPosts } from './seed.ts'

const never = new AbortController().signal
const page = { after: undefined, limit: 20 }

/** A timeline store whose readers all follow the same 450 accounts, and the queries of posts that it sends. */
async function observedStore(t: Test) {
  const { db, connection } = await freshDatabase(t)
  await ensureIndexes(db, collections)
  const followed = ids(450)
  await seedPosts(db, followed, 1_000)
  const { uri, username, password } = connection
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin', monitorCommands: true })
  await client.connect()
  t.teardown(() => client.close())
  const running = new Set<number>()
  const queries = { sent: 0, runningMax: 0 }
  client.on('commandStarted', ({ command, requestId }) => {
    if (command.aggregate !== 'posts' && command.find !== 'posts') return
    running.add(requestId)
    queries.sent += 1
    queries.runningMax = Math.max(queries.runningMax, running.size)
  })
  client.on('commandSucceeded', ({ requestId }) => running.delete(requestId))
  client.on('commandFailed', ({ requestId }) => running.delete(requestId))
  const store = timelineStore(client.db(db.databaseName), {
    followedBy: async (_, limit) => followed.slice(0, limit),
  })
  return { store, queries }
}

// On a busy machine some wait for more than 2 s.
const isOverloaded = (error: unknown) => error instanceof Problem && error.code === 'overloaded'

t.test('60 concurrent timelines of many accounts: 4 queries run at a time', async (t) => {
  const { store, queries } = await observedStore(t)
  const reads = await Promise.allSettled(
    Array.from({ length: 60 }, () => store.list(newId(), page, { key: newId(), signal: never })),
  )
  t.ok(reads.every((read) => (read.status === 'fulfilled' ? read.value.length === 21 : isOverloaded(read.reason))))
  t.equal(queries.runningMax, 4)
})

t.test('a reader with one request is served before most of the 60 that another reader sent earlier', async (t) => {
  const { store } = await observedStore(t)
  const [many, one] = [newId(), newId()]
  const served: string[] = []
  const list = async (reader: string) => {
    await store.list(reader, page, { key: reader, signal: never })
    served.push(reader)
  }
  const earlier = Array.from({ length: 60 }, () => list(many))
  await list(one)
  t.ok(served.length < 20, `served as number ${served.length}`)
  await Promise.allSettled(earlier)
})

t.test('more than 100 waiting timelines: the others get 503 overloaded with Retry-After', async (t) => {
  const { store } = await observedStore(t)
  const reader = newId()
  const reads = await Promise.allSettled(
    Array.from({ length: 120 }, () => store.list(reader, page, { key: reader, signal: never })),
  )
  const refused = reads.flatMap((read) => (read.status === 'rejected' ? [read.reason] : []))
  t.ok(refused.length >= 16, `${refused.length} refused`)
  for (const reason of refused) {
    t.match(reason, { code: 'overloaded', status: 503, headers: { 'retry-after': '2' } })
  }
})

t.test('when 60 requests are aborted, no further query is sent for them', async (t) => {
  const { store, queries } = await observedStore(t)
  const controller = new AbortController()
  const reason = new Error('the client left')
  const reads = Array.from({ length: 60 }, () => store.list(newId(), page, { key: newId(), signal: controller.signal }))
  const settled = Promise.allSettled(reads)
  await eventually(() => queries.sent > 0)
  controller.abort(reason)
  const { sent } = queries
  const aborted = (await settled).flatMap((read) => (read.status === 'rejected' ? [read.reason] : []))
  t.ok(aborted.length >= 50, `${aborted.length} ended with the abort`)
  t.ok(aborted.every((error) => error === reason))
  t.ok(queries.sent <= sent + 4, `${queries.sent - sent} queries after the abort`)
})

t.test('clients that disconnect: the timelines that wait for them are not read', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const behind = { ...connection, uri: proxy.uri(db.databaseName) }
  const app = await buildApp(await testConfig(behind), behind, pino({ level: 'silent' }))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { client } = await signUp(url)
  const { id } = (await client.get<{ id: string }>('v1/account')).body
  const followed = ids(450)
  await seedFollows(db, id, followed)
  await seedPosts(db, followed, 1_000)
  await db.command({ profile: 2 })
  const queries = () => db.collection('system.profile').countDocuments({ ns: `${db.databaseName}.posts` })
  // So that most requests still wait when their clients disconnect.
  proxy.delayReplies(200)
  const { stop } = hammer(`${url}/v1/timeline`, { cookie: await client.jar.getCookieString(url) }, 64)
  await eventually(async () => (await queries()) > 0)
  stop()
  await eventually(() => new Promise((resolve) => app.server.getConnections((_, open) => resolve(open <= 1))))
  const sent = await queries()
  proxy.delayReplies(0)
  t.equal((await client.get('v1/timeline')).statusCode, 200)
  const since = (await queries()) - sent
  t.ok(since <= 4 * 2 + 3, `${since} queries of posts after the disconnect`)
})
