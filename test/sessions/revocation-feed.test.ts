import { setTimeout as delay } from 'node:timers/promises'
import { type CommandStartedEvent, MongoClient, UUID } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { revocationCache } from '../../src/sessions/revocation-cache.ts'
import { type RevocationFeed, revocationFeed } from '../../src/sessions/revocation-feed.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase } from '../helper.ts'
import { clocks } from './clocks.ts'

type Document = { _id: UUID; until: Date; sentAt?: number }

const liveSession = new UUID().toString()
const expiry = () => new Date(Date.now() + 960_000)

/** A revocation cache and its feed, on a new database behind a proxy. */
async function startFeed(t: Test, before: Document[] = [], lagMs = 0) {
  const { db: direct, connection } = await freshDatabase(t)
  const collection = direct.collection<Document>('revocations')
  if (before.length > 0) await collection.insertMany(before)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  proxy.delayReplies(lagMs)
  const { username, password } = connection
  const options = { auth: { username, password }, authSource: 'admin', monitorCommands: true }
  const client = new MongoClient(proxy.uri(direct.databaseName), options)
  const batchSizes: unknown[] = []
  client.on('commandStarted', ({ command }: CommandStartedEvent) => {
    if (command.getMore !== undefined || command.find !== undefined) batchSizes.push(command.batchSize)
    else if (command.aggregate !== undefined) batchSizes.push(command.cursor.batchSize)
  })
  const cache = revocationCache(client.db())
  const feed: RevocationFeed = revocationFeed(client.db(), cache, pino({ level: 'silent' }), () => false)
  t.teardown(async () => {
    await feed.close()
    await client.close()
  })
  /** Waits until the cache is current (true), or stale (undefined). */
  const becomes = (isLive: true | undefined) => eventually(() => cache.isLive(liveSession) === isLive).then(() => true)
  const heartbeats = async () => (await collection.distinct('sentAt')).join()
  return { collection, cache, feed, proxy, becomes, heartbeats, batchSizes }
}

t.test('the feed loads the revocations from before its start, and evicts them when they expire', async (t) => {
  const ended = Array.from({ length: 3 }, () => ({ _id: new UUID(), until: expiry() }))
  // By a clock that is ahead while the server starts.
  const expired = Array.from({ length: 5 }, () => ({ _id: new UUID(), until: new Date(Date.now() - 1) }))
  const oldHeartbeats = Array.from({ length: 7 }, () => ({ _id: new UUID(), until: expiry(), sentAt: 1e12 }))
  const { forward } = clocks(t)
  const { cache, feed, becomes } = await startFeed(t, [...ended, ...expired, ...oldHeartbeats])
  t.ok(await becomes(true))
  for (const { _id } of [...ended, ...expired]) t.equal(cache.isLive(_id.toString()), false)
  t.equal(cache.size, 8, 'without heartbeats')
  forward(900_000)
  feed.noteUse()
  t.ok(await becomes(true))
  t.equal(cache.size, 8)
  forward(60_000)
  await t.resolves(eventually(() => cache.size === 0))
})

t.test('the feed reads a thousand revocations at a time, those of before its start and those that come', async (t) => {
  const revocations = (count: number) => Array.from({ length: count }, () => ({ _id: new UUID(), until: expiry() }))
  const { cache, collection, becomes, batchSizes } = await startFeed(t, revocations(2_500))
  t.ok(await becomes(true))
  t.equal(cache.size, 2_500)
  await collection.insertMany(revocations(2_500))
  await eventually(() => cache.size === 5_000)
  t.ok(batchSizes.length >= 5)
  t.same(new Set(batchSizes), new Set([1_000]))
})

t.test('no revocation is missed while the feed starts', async (t) => {
  // Each step of the start takes at least 200 ms.
  const { cache, collection, becomes } = await startFeed(t, [], 200)
  const ended: UUID[] = []
  let isCurrent = false
  const starting = becomes(true).then((current) => {
    isCurrent = current
  })
  for (; !isCurrent && ended.length < 400; await delay(25)) {
    const session = new UUID()
    await collection.insertOne({ _id: session, until: expiry() })
    ended.push(session)
  }
  await starting
  t.ok(isCurrent)
  await delay(1_000)
  const missed = ended.filter((session) => cache.isLive(session.toString()) !== false)
  t.same(missed, [], `of ${ended.length}`)
})

t.test('heartbeats stop 5 minutes after the last request, and begin again with the next', async (t) => {
  const { forward } = clocks(t)
  const { feed, becomes, heartbeats, collection } = await startFeed(t)
  t.ok(await becomes(true))
  const { until } = (await collection.findOne({ sentAt: { $exists: true } })) ?? { until: new Date(0) }
  t.ok(until.getTime() <= Date.now() + 60_000, 'the last heartbeat expires after a minute')
  forward(290_000)
  t.ok(await becomes(true), 'after 290 s without requests')
  feed.noteUse()
  forward(290_000)
  t.ok(await becomes(true), 'longer after a request')
  forward(11_000)
  t.ok(await becomes(undefined))
  await delay(700)
  const last = await heartbeats()
  await delay(1_000)
  t.equal(await heartbeats(), last, 'an idle server writes nothing')
  feed.noteUse()
  t.ok(await becomes(true))
})

t.test('a heartbeat counts from when it was sent: replies that are a second late leave the cache stale', async (t) => {
  const { cache, proxy, becomes, heartbeats, collection } = await startFeed(t)
  t.ok(await becomes(true))
  proxy.delayReplies(1_000)
  t.ok(await becomes(undefined))
  // A heartbeat of another process, whose clock is ahead.
  await collection.insertOne({ _id: new UUID(), until: expiry(), sentAt: performance.now() + 600_000 })
  const seen = new Set<string>()
  const until = performance.now() + 3_000
  while (performance.now() < until) {
    if (cache.isLive(liveSession)) t.fail('the cache counts as current')
    seen.add(await heartbeats())
    await delay(1)
  }
  t.ok(seen.size >= 2, `${seen.size} heartbeats were sent`)
  proxy.delayReplies(0)
  t.ok(await becomes(true))
})

t.test('a feed that is reopened misses no revocation, and is current again', async (t) => {
  const { cache, collection, feed, becomes } = await startFeed(t)
  t.ok(await becomes(true))
  const ended: UUID[] = []
  for (let n = 0; n < 60; n += 1) {
    if (n % 20 === 10) feed.reopen()
    const session = new UUID()
    await collection.insertOne({ _id: session, until: expiry() })
    ended.push(session)
    await delay(20)
  }
  t.ok(await becomes(true))
  await eventually(() => ended.every((session) => cache.isLive(session.toString()) === false))
  t.pass('all are known')
})

t.test(
  'when the stream breaks, the cache is stale until the next one is current, and no revocation is missed',
  async (t) => {
    const { cache, collection, becomes } = await startFeed(t)
    for (let round = 0; round < 4; round += 1) {
      t.ok(await becomes(true))
      // Only markStale can make this cache stale.
      cache.markCurrentAsOf(performance.now() + 600_000)
      await collection.drop()
      t.ok(await becomes(undefined))
      const ended = new UUID()
      await collection.insertOne({ _id: ended, until: expiry() })
      // The next stream may be current before the insertion is acknowledged; its event follows.
      await t.resolves(eventually(() => cache.isLive(ended.toString()) === false))
      t.ok(await becomes(true))
    }
  },
)
