import type { UUID } from 'mongodb'
import t from 'tap'
import { TransactionTimeoutError } from '../../src/database/failures.ts'
import { transactor } from '../../src/database/transaction.ts'
import { checkCounters } from '../../src/reconcile/check-counters.ts'
import { checkOrphans } from '../../src/reconcile/check-orphans.ts'
import { counterSets } from '../../src/reconcile/counters.ts'
import { ownerships } from '../../src/reconcile/ownership.ts'
import { reconcile } from '../../src/reconcile/reconcile.ts'
import { remainingDrift, summaryLines } from '../../src/reconcile/report.ts'
import { createSweeps } from '../../src/reconcile/sweeps.ts'
import { localWriter } from '../../src/write-operations.ts'
import {
  cleanLines,
  countsOf,
  indexedDatabase,
  newUuid,
  postDocument,
  postsOf,
  reactionsOf,
  runReconcile,
  seedAccount,
  seedPost,
  seedReactions,
} from './seed.ts'

t.test('an empty database, and one with right counts, have no drift', async (t) => {
  const target = await indexedDatabase(t)
  const { db } = target
  const emptyLines = ['posts      0 checked, drift 0', 'accounts   0 checked, drift 0', 'reactions  0 checked, drift 0']
  t.same((await runReconcile(target)).lines, [...emptyLines, ...cleanLines({}), 'drift 0'])

  const author = await seedAccount(db, { posts: 3 })
  const root = await seedPost(db, author, { likes: 1_200, dislikes: 2, replies: 2 })
  for (const _ of [1, 2]) await seedPost(db, author, {}, root)
  await seedReactions(db, root, 'like', 1_200)
  await seedReactions(db, root, 'dislike', 2)
  const { lines } = await runReconcile(target)
  const rightLines = [
    'posts      3 checked, drift 0',
    'accounts   1 checked, drift 0',
    'reactions  1,202 checked, drift 0',
  ]
  t.same(lines, [...rightLines, ...cleanLines({ reactions: 1_202, posts: 3, days: 1 }), 'drift 0'])
})

t.test('the drift of every counter is found, reported and fixed', async (t) => {
  const target = await indexedDatabase(t)
  const { db } = target
  const author = await seedAccount(db, { posts: 3 })
  const [liked, disliked, answered] = [
    await seedPost(db, author, { likes: 5 }),
    await seedPost(db, author, { likes: 1, dislikes: 1 }),
    await seedPost(db, author, { replies: 3 }),
  ]
  await seedReactions(db, liked, 'like', 3)
  await seedReactions(db, disliked, 'like', 1)
  await seedReactions(db, disliked, 'dislike', 3)
  const replier = await seedAccount(db, { posts: 9 })
  for (const _ of [1, 2]) await seedPost(db, replier, {}, answered)
  const followed = await seedAccount(db, { followers: 4 })
  const following = await seedAccount(db, { following: 5 })

  const findings = [
    `post ${liked}: likes: 5 stored, 3 counted`,
    `post ${disliked}: dislikes: 1 stored, 3 counted`,
    `post ${answered}: replies: 3 stored, 2 counted`,
    `account ${replier}: posts: 9 stored, 2 counted`,
    `account ${followed}: followers: 4 stored, 0 counted`,
    `account ${following}: following: 5 stored, 0 counted`,
  ]
  const others = cleanLines({ reactions: 7, posts: 5, days: 1 })
  const before = await postsOf(db).find().toArray()
  const found = await runReconcile(target)
  t.same(found.lines, [
    'posts      5 checked, drift 5',
    'accounts   4 checked, drift 16',
    'reactions  7 checked, drift 0',
    ...others,
    ...findings.map((line) => `  ${line}`),
    'drift 21',
  ])
  t.same(await postsOf(db).find().toArray(), before, 'without --fix nothing is written')

  const fixed = await runReconcile(target, { fix: true })
  t.same(fixed.lines, [
    'posts      5 checked, drift 5, fixed 5',
    'accounts   4 checked, drift 16, fixed 16',
    'reactions  7 checked, drift 0',
    ...others,
    ...findings.map((line) => `  ${line} (fixed)`),
    'drift 0 (21 fixed)',
  ])
  const right = new Map([
    [liked.toString(), { likes: 3, dislikes: 0, replies: 0 }],
    [disliked.toString(), { likes: 1, dislikes: 3, replies: 0 }],
    [answered.toString(), { likes: 0, dislikes: 0, replies: 2 }],
  ])
  const expected = before.map((post) => {
    const counts = right.get(post._id.toString())
    return counts ? { ...post, counts, revision: 8 } : post
  })
  t.same(
    await postsOf(db).find().toArray(),
    expected,
    'only the drifting counts, and the revision of their posts, change',
  )
  const none = { followers: 0, following: 0 }
  t.same(await countsOf(db).find().toArray(), [
    { _id: author, posts: 3, ...none },
    { _id: replier, posts: 2, ...none },
    { _id: followed, posts: 0, ...none },
    { _id: following, posts: 0, ...none },
  ])
  t.match((await runReconcile(target)).lines.at(-1), /^drift 0$/)
})

t.test('a missing counter is drift, even if it would be 0', async (t) => {
  const target = await indexedDatabase(t)
  const { db } = target
  const [author, inactive] = [await seedAccount(db, null), await seedAccount(db, null)]
  const post = await seedPost(db, author)
  await postsOf(db).updateOne({ _id: post }, { $unset: { 'counts.dislikes': 1 } })
  const text = await seedPost(db, author)
  await db.collection<{ _id: UUID }>('posts').updateOne({ _id: text }, { $set: { 'counts.likes': '2' } })
  await seedReactions(db, text, 'like', 3)

  const findings = [
    `post ${post}: dislikes: nothing stored, 0 counted`,
    `post ${text}: likes: nothing stored, 3 counted`,
    `account ${author}: posts: nothing stored, 2 counted; followers: nothing stored, 0 counted; following: nothing stored, 0 counted`,
    `account ${inactive}: posts: nothing stored, 0 counted; followers: nothing stored, 0 counted; following: nothing stored, 0 counted`,
  ]
  const lines = findings.map((line) => `  ${line}`)
  const { lines: report, results } = await runReconcile(target)
  t.same(report.slice(results.length), [...lines, 'drift 11'], '1 + 3, 2 + 1 + 1, 1 + 1 + 1')
  t.match((await runReconcile(target, { fix: true })).lines.at(-1), 'drift 0 (11 fixed)')
  t.same(await countsOf(db).find().sort({ _id: 1 }).toArray(), [
    { _id: author, posts: 2, followers: 0, following: 0 },
    { _id: inactive, posts: 0, followers: 0, following: 0 },
  ])
  t.match((await runReconcile(target)).lines.at(-1), /^drift 0$/)
})

t.test('reactions without a post are drift, unless a tombstone waits for its sweep', async (t) => {
  const target = await indexedDatabase(t)
  const { db } = target
  const author = await seedAccount(db, { posts: 2 })
  const removed = db.collection<{ _id: object; removal: object; sweptAt?: Date }>('removedPosts')
  const [before, waiting, swept, unknown] = [newUuid(), newUuid(), newUuid(), newUuid()]
  const existing = await seedPost(db, author, { likes: 2 })
  const between = newUuid()
  await seedPost(db, author)
  const after = newUuid()
  for (const post of [before, waiting, swept, unknown, existing, between, after]) {
    await seedReactions(db, post, 'like', 2)
  }
  await seedReactions(db, between, 'dislike', 1_200)
  await removed.insertOne({ _id: waiting, removal: newUuid() })
  await removed.insertOne({ _id: swept, removal: newUuid(), sweptAt: new Date() })

  const drifting = [before, swept, unknown, between, after]
  const findings = drifting.map(
    (post) => `post ${post}: does not exist, owns ${post === between ? 1_202 : 2} reactions`,
  )
  const lines = ['posts      2 checked, drift 0', 'accounts   1 checked, drift 0']
  t.same((await runReconcile(target)).lines, [
    ...lines,
    'reactions  1,214 checked, drift 1,210',
    ...cleanLines({ reactions: 1_214, posts: 2, days: 1 }),
    ...findings.map((line) => `  ${line}`),
    'drift 1,210',
  ])
  t.equal(await reactionsOf(db).countDocuments(), 1_214, 'without --fix nothing is deleted')
  t.same((await runReconcile(target, { fix: true })).lines, [
    ...lines,
    'reactions  1,214 checked, drift 1,210, fixed 1,210',
    ...cleanLines({ reactions: 2, posts: 2, days: 1 }),
    ...findings.map((line) => `  ${line} (fixed)`),
    'drift 0 (1,210 fixed)',
  ])
  const left = (await reactionsOf(db).distinct('post')).map(String).sort()
  t.same(left, [existing.toString()], 'only reactions with a post remain')
  t.equal(await reactionsOf(db).countDocuments(), 2)
  t.match((await runReconcile(target)).lines.at(-1), /^drift 0$/)
})

t.test('of 630 differences 20 are shown, and all are fixed', async (t) => {
  const target = await indexedDatabase(t)
  const author = await seedAccount(target.db, { posts: 630 })
  const documents = Array.from({ length: 630 }, () => postDocument(author, { likes: 1 }))
  await postsOf(target.db).insertMany(documents)
  const { lines, results } = await runReconcile(target)
  t.equal(lines.length, results.length + 20 + 2)
  t.same(lines.slice(-2), ['  and 610 more', 'drift 630'])
  t.match((await runReconcile(target, { fix: true })).lines.at(-1), 'drift 0 (630 fixed)')
  t.equal(await postsOf(target.db).countDocuments({ 'counts.likes': { $ne: 0 } }), 0)
})

t.test('a fix changes nothing if the post appeared, was swept or was deleted since the walk', async (t) => {
  const { client, db } = await indexedDatabase(t)
  const transact = transactor(client)
  const [existing, waiting, gone] = [await seedPost(db, await seedAccount(db)), newUuid(), newUuid()]
  for (const post of [existing, waiting]) await seedReactions(db, post, 'like', 2)
  await db.collection<{ _id: UUID }>('removedPosts').insertOne({ _id: waiting })
  const [posts] = counterSets.map((set) => checkCounters(db, transact, set))
  const [orphans] = ownerships.map((ownership) =>
    checkOrphans(db, transact, createSweeps(db, transact, localWriter(db, transact)), ownership),
  )
  const drift = { amount: 2, description: '' }
  await orphans?.fix({ ...drift, id: existing })
  t.equal(await reactionsOf(db).countDocuments(), 4, 'reactions of an existing post')
  t.equal(await db.collection<{ _id: UUID }>('removedPosts').countDocuments({ _id: existing }), 0)
  await orphans?.fix({ ...drift, id: waiting })
  t.equal(await reactionsOf(db).countDocuments(), 2, 'reactions with a tombstone are swept')
  await posts?.fix({ ...drift, id: gone })
  t.equal(await postsOf(db).countDocuments(), 1, 'a deleted post does not reappear')
})

t.test('a drift whose fix keeps conflicting remains, and is reported', async (t) => {
  const { client, db } = await indexedDatabase(t)
  const gone = newUuid()
  await seedReactions(db, gone, 'like', 2)
  const late = () => Promise.reject(new TransactionTimeoutError('no commit in time'))
  const transact = transactor(client)
  const sweeps = { ...createSweeps(db, transact, localWriter(db, transact)), post: late }
  const options = { fix: true, stop: new AbortController().signal, onResult: () => undefined }
  const results = await reconcile(client, db.databaseName, sweeps, options)
  t.same(summaryLines(results), [`  post ${gone}: does not exist, owns 2 reactions (not fixed)`, 'drift 2'])
  t.equal(remainingDrift(results), 2)
})

t.test('with an aborted signal nothing is checked', async (t) => {
  const target = await indexedDatabase(t)
  const author = await seedAccount(target.db)
  await postsOf(target.db).insertMany(Array.from({ length: 600 }, () => postDocument(author, { likes: 1 })))
  const stopped = await runReconcile(target, { fix: true, stop: AbortSignal.abort() })
  t.same(stopped.lines, ['drift 0'])
  t.equal(await postsOf(target.db).countDocuments({ 'counts.likes': 1 }), 600)
})
