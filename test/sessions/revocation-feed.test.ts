import { setTimeout as delay } from 'node:timers/promises'
import { MongoClient, UUID } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { revocationCache } from '../../src/sessions/revocation-cache.ts'
import { type RevocationFeed, revocationFeed } from '../../src/sessions/revocation-feed.ts'
import { lineTo } from '../database/fixtures/line.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase } from '../helper.ts'
import { clocks } from './clocks.ts'

type Document = { _id: UUID; until: Date; sentAt?: number }

const someone = new UUID().toString()
const inTime = () => new Date(Date.now() + 960_000)

/** A process's knowledge and what feeds it, on a database of its own by a line that can be made long. */
async function feeding(t: Test, before: Document[] = [], lag = 0) {
  const { db: direct, connection } = await freshDatabase(t)
  const collection = direct.collection<Document>('revocations')
  if (before.length > 0) await collection.insertMany(before)
  const line = await lineTo(t, Number(new URL(connection.uri).port))
  line.lengthen(lag)
  const { username, password } = connection
  const client = new MongoClient(line.uri(direct.databaseName), { auth: { username, password }, authSource: 'admin' })
  const known = revocationCache(client.db())
  const feed: RevocationFeed = revocationFeed(client.db(), known, pino({ level: 'silent' }))
  t.teardown(async () => {
    await feed.close()
    await client.close()
  })
  /** What is known of somebody whose session goes on becomes that. */
  const turns = (what: true | undefined) => eventually(() => known.isLive(someone) === what).then(() => true)
  const signs = async () => (await collection.distinct('sentAt')).join()
  return { collection, known, feed, line, turns, signs }
}

t.test('what had ended before it began is learnt, what no token can name any more is not', async (t) => {
  const ended = Array.from({ length: 3 }, () => ({ _id: new UUID(), until: inTime() }))
  const over = Array.from({ length: 5 }, () => ({ _id: new UUID(), until: new Date(Date.now() - 1) }))
  const signs = Array.from({ length: 7 }, () => ({ _id: new UUID(), until: inTime(), sentAt: 1e12 }))
  const soonOver = { _id: new UUID(), until: new Date(Date.now() + 2_000) }
  const { known, turns } = await feeding(t, [...ended, soonOver, ...over, ...signs])
  t.ok(await turns(true))
  for (const { _id } of ended) t.equal(known.isLive(_id.toString()), false)
  for (const { _id } of over) t.not(known.isLive(_id.toString()), false)
  await t.resolves(
    eventually(() => known.size === 3),
    'it is forgotten when its time has come',
  )
})

t.test('what ends while it begins is learnt, whenever that is', async (t) => {
  // So much time passes between whatever MongoDB is asked first and what it is asked next.
  const { known, collection, turns } = await feeding(t, [], 200)
  const ended: UUID[] = []
  let begun = false
  const beginning = turns(true).then((come) => {
    begun = come
  })
  for (; !begun && ended.length < 400; await delay(25)) {
    const session = new UUID()
    await collection.insertOne({ _id: session, until: inTime() })
    ended.push(session)
  }
  await beginning
  t.ok(begun)
  await delay(1_000)
  const missed = ended.filter((session) => known.isLive(session.toString()) !== false)
  t.same(missed, [], `of ${ended.length}`)
})

t.test('signs of life: sent while somebody asks and 5 minutes longer, and then again', async (t) => {
  const { forward } = clocks(t)
  const { feed, turns, signs, collection } = await feeding(t)
  t.ok(await turns(true))
  const { until } = (await collection.findOne({ sentAt: { $exists: true } })) ?? { until: new Date(0) }
  t.ok(until.getTime() <= Date.now() + 60_000, 'what a process leaves behind is gone after a minute')
  forward(290_000)
  t.ok(await turns(true), 'they go on')
  feed.noteUse()
  forward(290_000)
  t.ok(await turns(true), 'longer if somebody asks')
  forward(11_000)
  t.ok(await turns(undefined))
  await delay(700)
  const last = await signs()
  await delay(1_000)
  t.equal(await signs(), last, 'a server that nobody uses writes nothing')
  feed.noteUse()
  t.ok(await turns(true))
})

t.test('a sign counts from when it was sent: one that comes a second late proves nothing', async (t) => {
  const { known, line, turns, signs, collection } = await feeding(t)
  t.ok(await turns(true))
  line.lengthen(1_000)
  t.ok(await turns(undefined))
  // Another process has another clock.
  await collection.insertOne({ _id: new UUID(), until: inTime(), sentAt: performance.now() + 600_000 })
  const seen = new Set<string>()
  const until = performance.now() + 3_000
  while (performance.now() < until) {
    if (known.isLive(someone)) t.fail('it was believed')
    seen.add(await signs())
    await delay(1)
  }
  t.ok(seen.size >= 2, `${seen.size} signs were sent`)
  line.lengthen(0)
  t.ok(await turns(true))
})

t.test('a stream that breaks off: all is doubted until another has begun, and nothing falls between', async (t) => {
  const { known, collection, turns } = await feeding(t)
  for (let round = 0; round < 4; round += 1) {
    t.ok(await turns(true))
    // Only doubt takes away what was known so well.
    known.markCurrentAsOf(performance.now() + 600_000)
    await collection.drop()
    t.ok(await turns(undefined))
    const ended = new UUID()
    await collection.insertOne({ _id: ended, until: inTime() })
    t.not(known.isLive(ended.toString()), true)
    t.ok(await turns(true))
    t.equal(known.isLive(ended.toString()), false)
  }
})
