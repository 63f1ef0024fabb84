import { type Db, MongoClient, MongoServerError, type UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { dayMs } from '../../src/analytics/daily-counts.ts'
import { toUuid } from '../../src/database/ids.ts'
import { inSnapshot } from '../../src/database/snapshot.ts'
import { transactor } from '../../src/database/transaction.ts'
import type { Check, Chunk } from '../../src/reconcile/check.ts'
import { checkDays } from '../../src/reconcile/check-days.ts'
import { counterSets } from '../../src/reconcile/counters.ts'
import { orphanPipeline } from '../../src/reconcile/orphan-pipeline.ts'
import { ownerships } from '../../src/reconcile/ownership.ts'
import { countPipeline } from '../../src/reconcile/recount.ts'
import { walk } from '../../src/reconcile/snapshot.ts'
import {
  indexedDatabase,
  newUuid,
  postDocument,
  postsOf,
  reactionDocument,
  reactionsOf,
  runReconcile,
  seedAccount,
  seedAccountTombstones,
  seedPost,
  seedReactions,
} from './seed.ts'

async function seedPosts(db: Db, author: UUID, count: number, counts: object): Promise<UUID[]> {
  const documents = Array.from({ length: count }, () => postDocument(author, counts))
  await postsOf(db).insertMany(documents)
  return documents.map(({ _id }) => _id)
}

t.test('with 20,000 drifting posts and 1,300 orphaned reactions, at most 500 are in memory at a time', async (t) => {
  const { db, connection } = await indexedDatabase(t)
  const author = await seedAccount(db, { posts: 20_001 })
  const popular = await seedPost(db, author, { likes: 30_000 })
  for (const _ of [1, 2, 3]) await seedReactions(db, popular, 'like', 10_000)
  await seedPosts(db, author, 20_000, { dislikes: 1 })
  const orphans = Array.from({ length: 1_300 }, () => newUuid())
  const orphanedReactions = orphans.map((post) => reactionDocument(post, 'like'))
  await reactionsOf(db).insertMany(orphanedReactions)
  await seedAccountTombstones(
    db,
    orphanedReactions.map(({ account }) => account),
  )

  const { uri, username, password } = connection
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin', monitorCommands: true })
  t.teardown(() => client.close())
  const replies: number[] = []
  client.on('commandSucceeded', ({ reply }) => {
    const { firstBatch, nextBatch } = (reply as { cursor?: Record<string, unknown[]> }).cursor ?? {}
    if (firstBatch ?? nextBatch) replies.push((firstBatch ?? nextBatch ?? []).length)
  })
  const { results, lines } = await runReconcile({ client, db })
  t.same(lines.slice(0, 3), [
    'posts      20,001 checked, drift 20,000',
    'accounts   1 checked, drift 0',
    'reactions  31,300 checked, drift 1,300',
  ])
  t.equal(lines[results.length - 1], 'days       1 checked, drift 1,300', 'orphaned reactions are in no daily count')
  t.same(lines.slice(-2), ['  and 21,281 more', 'drift 22,600'])
  t.ok(
    results.every(({ shown }) => shown.length <= 20),
    'only the findings that are shown stay in memory',
  )
  t.equal(Math.max(...replies), 500, 'MongoDB returns at most 500 documents in a reply, and counts reactions itself')
  t.ok(replies.length > 20_001 / 500, `${replies.length} replies`)
})

t.test('every count is covered by an index: it reads no document but idempotency records', async (t) => {
  const { db } = await indexedDatabase(t)
  const author = await seedAccount(db)
  const [root] = await seedPosts(db, author, 300, {})
  for (const _ of Array.from({ length: 300 })) await postsOf(db).insertOne(postDocument(newUuid(), {}, newUuid()))
  for (const _ of [1, 2]) await seedPost(db, author, {}, root)
  await seedReactions(db, root ?? newUuid(), 'dislike', 300)
  await seedReactions(db, newUuid(), 'like', 3)
  const ids = [root ?? newUuid(), author, newUuid()]
  const queries = counterSets.flatMap(({ counters }) =>
    counters.map((counter) => ({
      name: counter.field,
      collection: counter.countedCollection,
      pipeline: countPipeline(counter, ids),
    })),
  )
  // The $lookup of tombstones reads documents, so there must be none.
  await db.collection('removedAccounts').deleteMany({})
  for (const ownership of ownerships) {
    const pipeline = orphanPipeline(ownership, { after: ids[0] ?? newUuid() }, ids, 500)
    queries.push({ name: ownership.name, collection: ownership.owned, pipeline })
  }
  for (const { name, collection, pipeline } of queries) {
    const explained = JSON.stringify(await db.collection(collection).aggregate(pipeline).explain('executionStats'))
    t.match(explained, /"stage":"IXSCAN"/, name)
    // The index of `_id` holds no member of it.
    t.notMatch(explained, name === 'records' ? /"stage":"COLLSCAN"/ : /"stage":"(COLLSCAN|FETCH)"/, name)
    const [, documents] = /"totalDocsExamined":(\d+)/.exec(explained) ?? []
    t.equal(documents, '0', name)
  }
  t.ok(queries.length > 10)
})

t.test('the comparison of days reads keys of the index by order key, and of its own days only', async (t) => {
  const { client, db } = await indexedDatabase(t)
  const post = await seedPost(db, await seedAccount(db))
  const days = [9, 8, 7, 6, 5, 4].flatMap((ago) => Array.from({ length: 50 }, () => Date.now() - ago * dayMs))
  await reactionsOf(db).insertMany(days.map((msecs) => reactionDocument(post, 'like', toUuid(v7({ msecs })))))
  await db.command({ profile: 2 })
  const chunks: Chunk[] = []
  for await (const chunk of walk(client, db.databaseName, checkDays(db, transactor(client), 100))) chunks.push(chunk)
  await db.command({ profile: 0 })
  t.same(
    chunks.map(({ checked }) => checked),
    [2, 2, 2],
  )
  const reads = await db
    .collection<{ keysExamined: number; docsExamined: number }>('system.profile')
    .find({ ns: `${db.databaseName}.reactions`, keysExamined: { $exists: true } })
    .toArray()
  t.ok(reads.length >= chunks.length * 3, `${reads.length} reads`)
  t.ok(
    reads.every(({ docsExamined }) => docsExamined === 0),
    'no document',
  )
  t.ok(Math.max(...reads.map(({ keysExamined }) => keysExamined)) <= 102, 'a chunk, and the key beyond it')
})

t.test('each chunk reads its own snapshot, and one snapshot only', async (t) => {
  const { client, db } = await indexedDatabase(t)
  const author = newUuid()
  for (const before of [0, 1]) {
    await inSnapshot(client, db.databaseName, async (snapshot, session) => {
      const count = () => snapshot.collection('posts').countDocuments({}, { session })
      t.equal(await count(), before)
      await seedPost(db, author)
      t.equal(await count(), before)
    })
  }
})

t.test('a chunk whose snapshot is lost is retried with half the size; the last error is thrown', async (t) => {
  const { client, db } = await indexedDatabase(t)
  const failing = (fails: number, error: Error) => {
    const sizes: number[] = []
    let next: UUID | null = toUuid(v7())
    const read: Check['read'] = async (_db, _session, _after, size) => {
      sizes.push(size)
      if (sizes.length <= fails) throw error
      const chunk = { checked: size, drifts: [], next }
      next = null
      return chunk
    }
    return { sizes, check: { name: '', read, prepare: async () => undefined, fix: async () => undefined } }
  }
  const checked = async (check: Check) => {
    let sum = 0
    for await (const chunk of walk(client, db.databaseName, check)) sum += chunk.checked
    return sum
  }
  for (const code of [239, 246, 189]) {
    const { sizes, check } = failing(2, new MongoServerError({ message: 'lost', code }))
    t.equal(await checked(check), 125 + 500, `code ${code}`)
    t.same(sizes, [500, 250, 125, 500])
  }
  const hopeless = failing(99, new MongoServerError({ message: 'lost', code: 246 }))
  await t.rejects(checked(hopeless.check), { message: 'lost' })
  t.equal(hopeless.sizes.length, 6)
  const refused = failing(99, new MongoServerError({ message: 'no', code: 13 }))
  await t.rejects(checked(refused.check), { message: 'no' })
  t.equal(refused.sizes.length, 1)
})
