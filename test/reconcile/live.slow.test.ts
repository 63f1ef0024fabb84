import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type Db, MongoClient, type UUID } from 'mongodb'
import t from 'tap'
import { dailyCountsIn } from '../../src/analytics/daily-counts.ts'
import { newId } from '../../src/database/ids.ts'
import { createPost } from '../../src/posts/create.ts'
import { unfenced } from '../../src/writer/batch-context.ts'
import { eventually } from '../eventually.ts'
import {
  countsOf,
  followsOf,
  indexedDatabase,
  postsOf,
  reactionsOf,
  runReconcile,
  seedAccount,
  seedPost,
  seedReactions,
} from './seed.ts'
import { traffic } from './traffic.ts'

const seedAccounts = async (db: Db, count: number) => {
  const accounts: UUID[] = []
  for (let n = 0; n < count; n += 1) accounts.push(await seedAccount(db))
  return accounts
}

const haveSameEntries = (a: object | null, b: object) =>
  isDeepStrictEqual(Object.entries(a ?? {}).sort(), Object.entries(b).sort())

/** Finds wrong counts while there are no writes, independently of the code under test. */
async function findWrongCounts(db: Db) {
  const wrong: unknown[] = []
  for (const { _id, counts } of await postsOf(db).find().toArray()) {
    const countOf = (value: 'like' | 'dislike') => reactionsOf(db).countDocuments({ post: _id, value })
    const replies = await postsOf(db).countDocuments({ replyTo: _id })
    const right = { likes: await countOf('like'), dislikes: await countOf('dislike'), replies }
    if (!haveSameEntries(counts, right)) wrong.push({ _id, counts, right })
  }
  for (const { _id } of await db.collection<{ _id: UUID }>('accounts').find().toArray()) {
    const counts = await countsOf(db).findOne({ _id }, { projection: { _id: 0, revision: 0 } })
    const right = {
      posts: await postsOf(db).countDocuments({ author: _id }),
      followers: await followsOf(db).countDocuments({ to: _id }),
      following: await followsOf(db).countDocuments({ from: _id }),
    }
    if (!haveSameEntries(counts, right)) wrong.push({ _id, counts, right })
  }
  const days = await dailyCountsIn(db).find().toArray()
  for (const value of ['like', 'dislike'] as const) {
    const counted = days.reduce((sum, day) => sum + day[`${value}s`], 0)
    const right = await reactionsOf(db).countDocuments({ value })
    if (counted !== right) wrong.push({ value, counted, right })
  }
  return wrong
}

t.test('without drift, no run under concurrent writes reports any', async (t) => {
  const target = await indexedDatabase(t)
  const accounts = await seedAccounts(target.db, 8)
  const load = traffic(target.client, target.db, accounts, [])
  await delay(500)
  let writes = 0
  for (let run = 1; run <= 6 || (writes < 100 && run < 200); run += 1) {
    const before = load.done()
    const { lines } = await runReconcile(target)
    writes += load.done() - before
    t.equal(lines.at(-1), 'drift 0', `run ${run}, ${load.done() - before} concurrent writes`)
    await delay(100)
  }
  await load.stop()
  t.ok(writes >= 100, `${writes} writes during the runs`)
  t.same(await findWrongCounts(target.db), [])
})

t.test('drift is fixed under concurrent writes to the same posts, and no right count changes', async (t) => {
  const target = await indexedDatabase(t)
  const { client, db } = target
  const accounts = await seedAccounts(db, 6)
  const host = await seedAccount(db, { posts: 4 })
  const hot: UUID[] = []
  for (const _ of [1, 2, 3, 4]) hot.push(await seedPost(db, host, { likes: 2_000 }))
  // Many, so that writes happen during the count.
  for (const post of hot) await seedReactions(db, post, 'like', 2_000)
  const load = traffic(client, db, accounts, hot)
  let fixed = 0
  for (let round = 0; round < 3; round += 1) {
    for (const _id of hot) {
      await postsOf(db).updateOne({ _id }, { $inc: { 'counts.likes': 3, 'counts.dislikes': -2, 'counts.replies': 1 } })
    }
    for (const _id of accounts) await countsOf(db).updateOne({ _id }, { $inc: { posts: 5, followers: 1 } })
    const before = load.done()
    const { lines } = await runReconcile(target, { fix: true })
    t.match(lines.at(-1), /^drift 0 \(\d+ fixed\)$/, `round ${round}, ${load.done() - before} concurrent writes`)
    fixed += Number(/\((\d+) fixed/.exec(lines.at(-1) ?? '')?.[1])
    t.equal((await runReconcile(target)).lines.at(-1), 'drift 0')
  }
  t.equal(fixed, 3 * (4 * 6 + 6 * 6), 'exactly the seeded drift')
  await load.stop()
  t.same(await findWrongCounts(db), [])
  t.equal(await postsOf(db).countDocuments({ recounting: { $exists: true } }), 0)
  t.equal(await countsOf(db).countDocuments({ recounting: { $exists: true } }), 0)
})

t.test('a post that is written during each count is fixed on the first attempt', async (t) => {
  const { db, connection } = await indexedDatabase(t)
  const post = await seedPost(db, await seedAccount(db, { posts: 1 }), { likes: 1, dislikes: 5 })
  for (const _ of [1, 2, 3]) await seedReactions(db, post, 'like', 10_000)
  const { uri, username, password } = connection
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin', monitorCommands: true })
  t.teardown(() => client.close())
  const writes: Promise<unknown>[] = []
  client.on('commandStarted', ({ commandName, command }) => {
    const isCount = commandName === 'aggregate' && command.aggregate === 'reactions' && command.autocommit === false
    // Faster than the count: it commits first unless it has to wait for the fix.
    const write = () => postsOf(db).updateOne({ _id: post }, { $inc: { revision: 1 } }, { writeConcern: { w: 1 } })
    if (isCount) writes.push(write())
  })
  const { lines } = await runReconcile({ client, db }, { fix: true })
  t.equal(lines.at(-1), 'drift 0 (30,004 fixed)')
  t.equal(writes.length, 2, 'likes and dislikes were counted once each: no retry')
  await Promise.all(writes)
  const counts = { likes: 30_000, dislikes: 0, replies: 0 }
  t.match(await postsOf(db).findOne({ _id: post }), { counts, revision: 7 + 1 + 2 })
})

t.test('a post whose transaction began before its author’s counts existed is counted', async (t) => {
  const target = await indexedDatabase(t)
  const { client, db } = target
  const author = await seedAccount(db, null)
  const session = client.startSession()
  session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } })
  const command = { id: newId(), author: author.toString(), text: '.', replyTo: null, claim: null }
  await createPost.apply(unfenced(db, session), [command])
  const running = runReconcile(target, { fix: true })
  await eventually(async () => (await countsOf(db).countDocuments({ _id: author })) > 0)
  await delay(1_000)
  await session.commitTransaction()
  await session.endSession()
  t.match((await running).lines.at(-1), /^drift 0 \(\d fixed\)$/)
  t.match(await countsOf(db).findOne({ _id: author }), { posts: 1 })
  t.equal((await runReconcile(target)).lines.at(-1), 'drift 0')
})

t.test('missing counts are created with the right values while the accounts keep posting', async (t) => {
  const target = await indexedDatabase(t)
  const { client, db } = target
  const accounts = await seedAccounts(db, 3)
  const load = traffic(client, db, accounts, [])
  await delay(300)
  await countsOf(db).deleteMany({ _id: { $in: accounts } })
  await delay(300)
  const { lines } = await runReconcile(target, { fix: true })
  t.match(lines.at(-1), /^drift 0 \(\d+ fixed\)$/)
  t.equal((await runReconcile(target)).lines.at(-1), 'drift 0')
  await load.stop()
  t.same(await findWrongCounts(db), [])
})
