import type { UUID } from 'mongodb'
import t from 'tap'
import { transactor } from '../../src/database/transaction.ts'
import { checkCounters } from '../../src/reconcile/check-counters.ts'
import { checkOrphans } from '../../src/reconcile/check-orphans.ts'
import { counterSets } from '../../src/reconcile/counters.ts'
import { ownerships } from '../../src/reconcile/ownership.ts'
import { createSweeps } from '../../src/reconcile/sweeps.ts'
import { localWriter } from '../../src/write-operations.ts'
import {
  countsOf,
  newUuid,
  otherLines,
  plantAccount,
  plantPost,
  plantReactions,
  postDocument,
  postsOf,
  preparedDatabase,
  reactionsOf,
  runHere,
} from './seed.ts'

t.test('an empty database and one with right counts have no drift', async (t) => {
  const target = await preparedDatabase(t)
  const { db } = target
  const nothing = ['posts      0 checked, drift 0', 'accounts   0 checked, drift 0', 'reactions  0 checked, drift 0']
  t.same((await runHere(target)).lines, [...nothing, ...otherLines({}), 'drift 0'])

  const author = await plantAccount(db, { posts: 3 })
  const root = await plantPost(db, author, { likes: 1_200, dislikes: 2, replies: 2 })
  for (const _ of [1, 2]) await plantPost(db, author, {}, root)
  await plantReactions(db, root, 'like', 1_200)
  await plantReactions(db, root, 'dislike', 2)
  const { lines } = await runHere(target)
  const right = ['posts      3 checked, drift 0', 'accounts   1 checked, drift 0', 'reactions  1,202 checked, drift 0']
  t.same(lines, [...right, ...otherLines({ reactions: 1_202, posts: 3, days: 1 }), 'drift 0'])
})

t.test('the drift of every counter is found, reported and fixed', async (t) => {
  const target = await preparedDatabase(t)
  const { db } = target
  const author = await plantAccount(db, { posts: 3 })
  const [liked, disliked, answered] = [
    await plantPost(db, author, { likes: 5 }),
    await plantPost(db, author, { likes: 1, dislikes: 1 }),
    await plantPost(db, author, { replies: 3 }),
  ]
  await plantReactions(db, liked, 'like', 3)
  await plantReactions(db, disliked, 'like', 1)
  await plantReactions(db, disliked, 'dislike', 3)
  const replying = await plantAccount(db, { posts: 9 })
  for (const _ of [1, 2]) await plantPost(db, replying, {}, answered)
  const followed = await plantAccount(db, { followers: 4 })
  const following = await plantAccount(db, { following: 5 })

  const told = [
    `post ${liked}: likes: 5 stored, 3 counted`,
    `post ${disliked}: dislikes: 1 stored, 3 counted`,
    `post ${answered}: replies: 3 stored, 2 counted`,
    `account ${replying}: posts: 9 stored, 2 counted`,
    `account ${followed}: followers: 4 stored, 0 counted`,
    `account ${following}: following: 5 stored, 0 counted`,
  ]
  const others = otherLines({ reactions: 7, posts: 5, days: 1 })
  const before = await postsOf(db).find().toArray()
  const found = await runHere(target)
  t.same(found.lines, [
    'posts      5 checked, drift 5',
    'accounts   4 checked, drift 16',
    'reactions  7 checked, drift 0',
    ...others,
    ...told.map((line) => `  ${line}`),
    'drift 21',
  ])
  t.same(await postsOf(db).find().toArray(), before, 'without --fix nothing is written')

  const fixed = await runHere(target, { fix: true })
  t.same(fixed.lines, [
    'posts      5 checked, drift 5, fixed 5',
    'accounts   4 checked, drift 16, fixed 16',
    'reactions  7 checked, drift 0',
    ...others,
    ...told.map((line) => `  ${line} (fixed)`),
    'drift 0 (21 fixed)',
  ])
  const right = new Map([
    [liked.toString(), { likes: 3, dislikes: 0, replies: 0 }],
    [disliked.toString(), { likes: 1, dislikes: 3, replies: 0 }],
    [answered.toString(), { likes: 0, dislikes: 0, replies: 2 }],
  ])
  const wanted = before.map((post) => {
    const counts = right.get(post._id.toString())
    return counts ? { ...post, counts, revision: 8 } : post
  })
  t.same(await postsOf(db).find().toArray(), wanted, 'the counts and the revision of what drifted, and nothing else')
  const none = { followers: 0, following: 0 }
  t.same(await countsOf(db).find().toArray(), [
    { _id: author, posts: 3, ...none },
    { _id: replying, posts: 2, ...none },
    { _id: followed, posts: 0, ...none },
    { _id: following, posts: 0, ...none },
  ])
  t.match((await runHere(target)).lines.at(-1), /^drift 0$/)
})

t.test('missing counters drift, even if they count nothing', async (t) => {
  const target = await preparedDatabase(t)
  const { db } = target
  const [none, silent] = [await plantAccount(db, null), await plantAccount(db, null)]
  const post = await plantPost(db, none)
  await postsOf(db).updateOne({ _id: post }, { $unset: { 'counts.dislikes': 1 } })
  const text = await plantPost(db, none)
  await db.collection<{ _id: UUID }>('posts').updateOne({ _id: text }, { $set: { 'counts.likes': '2' } })
  await plantReactions(db, text, 'like', 3)

  const told = [
    `post ${post}: dislikes: nothing stored, 0 counted`,
    `post ${text}: likes: nothing stored, 3 counted`,
    `account ${none}: posts: nothing stored, 2 counted; followers: nothing stored, 0 counted; following: nothing stored, 0 counted`,
    `account ${silent}: posts: nothing stored, 0 counted; followers: nothing stored, 0 counted; following: nothing stored, 0 counted`,
  ]
  const lines = told.map((line) => `  ${line}`)
  t.same((await runHere(target)).lines.slice(8), [...lines, 'drift 11'], '1 + 3, 2 + 1 + 1, 1 + 1 + 1')
  t.match((await runHere(target, { fix: true })).lines.at(-1), 'drift 0 (11 fixed)')
  t.same(await countsOf(db).find().sort({ _id: 1 }).toArray(), [
    { _id: none, posts: 2, followers: 0, following: 0 },
    { _id: silent, posts: 0, followers: 0, following: 0 },
  ])
  t.match((await runHere(target)).lines.at(-1), /^drift 0$/)
})

t.test('reactions without a post drift, unless a tombstone waits for its sweep', async (t) => {
  const target = await preparedDatabase(t)
  const { db } = target
  const author = await plantAccount(db, { posts: 2 })
  const removed = db.collection<{ _id: object; removal: object; sweptAt?: Date }>('removedPosts')
  const [before, waiting, swept, unknown] = [newUuid(), newUuid(), newUuid(), newUuid()]
  const standing = await plantPost(db, author, { likes: 2 })
  const between = newUuid()
  await plantPost(db, author)
  const after = newUuid()
  for (const post of [before, waiting, swept, unknown, standing, between, after]) {
    await plantReactions(db, post, 'like', 2)
  }
  await plantReactions(db, between, 'dislike', 1_200)
  await removed.insertOne({ _id: waiting, removal: newUuid() })
  await removed.insertOne({ _id: swept, removal: newUuid(), sweptAt: new Date() })

  const drifting = [before, swept, unknown, between, after]
  const told = drifting.map((post) => `post ${post}: does not exist, owns ${post === between ? 1_202 : 2} reactions`)
  const lines = ['posts      2 checked, drift 0', 'accounts   1 checked, drift 0']
  t.same((await runHere(target)).lines, [
    ...lines,
    'reactions  1,214 checked, drift 1,210',
    ...otherLines({ reactions: 1_214, posts: 2, days: 1 }),
    ...told.map((line) => `  ${line}`),
    'drift 1,210',
  ])
  t.equal(await reactionsOf(db).countDocuments(), 1_214, 'without --fix nothing is removed')
  t.same((await runHere(target, { fix: true })).lines, [
    ...lines,
    'reactions  1,214 checked, drift 1,210, fixed 1,210',
    ...otherLines({ reactions: 2, posts: 2, days: 1 }),
    ...told.map((line) => `  ${line} (fixed)`),
    'drift 0 (1,210 fixed)',
  ])
  const left = (await reactionsOf(db).distinct('post')).map(String).sort()
  t.same(left, [standing.toString()], 'only reactions with a post remain')
  t.equal(await reactionsOf(db).countDocuments(), 2)
  t.match((await runHere(target)).lines.at(-1), /^drift 0$/)
})

t.test('of many differences 20 are shown, and all are fixed', async (t) => {
  const target = await preparedDatabase(t)
  const author = await plantAccount(target.db, { posts: 630 })
  const documents = Array.from({ length: 630 }, () => postDocument(author, { likes: 1 }))
  await postsOf(target.db).insertMany(documents)
  const { lines } = await runHere(target)
  t.equal(lines.length, 8 + 20 + 2)
  t.same(lines.slice(-2), ['  and 610 more', 'drift 630'])
  t.match((await runHere(target, { fix: true })).lines.at(-1), 'drift 0 (630 fixed)')
  t.equal(await postsOf(target.db).countDocuments({ 'counts.likes': { $ne: 0 } }), 0)
})

t.test('a fix changes nothing if the post appeared, was swept or was deleted since the walk', async (t) => {
  const { client, db } = await preparedDatabase(t)
  const transact = transactor(client)
  const [standing, waiting, gone] = [await plantPost(db, await plantAccount(db)), newUuid(), newUuid()]
  for (const post of [standing, waiting]) await plantReactions(db, post, 'like', 2)
  await db.collection<{ _id: UUID }>('removedPosts').insertOne({ _id: waiting })
  const [posts] = counterSets.map((kind) => checkCounters(db, transact, kind))
  const [orphans] = ownerships.map((one) =>
    checkOrphans(db, transact, createSweeps(db, localWriter(db, transact)), one),
  )
  const drift = { amount: 2, description: '' }
  await orphans?.fix({ ...drift, id: standing })
  t.equal(await reactionsOf(db).countDocuments(), 4, 'reactions of an existing post')
  t.equal(await db.collection<{ _id: UUID }>('removedPosts').countDocuments({ _id: standing }), 0)
  await orphans?.fix({ ...drift, id: waiting })
  t.equal(await reactionsOf(db).countDocuments(), 2, 'reactions with a tombstone are swept')
  await posts?.fix({ ...drift, id: gone })
  t.equal(await postsOf(db).countDocuments(), 1, 'a deleted post does not reappear')
})

t.test('with an aborted signal nothing is checked', async (t) => {
  const target = await preparedDatabase(t)
  const author = await plantAccount(target.db)
  await postsOf(target.db).insertMany(Array.from({ length: 600 }, () => postDocument(author, { likes: 1 })))
  const stopped = await runHere(target, { fix: true, stop: AbortSignal.abort() })
  t.same(stopped.lines, ['drift 0'])
  t.equal(await postsOf(target.db).countDocuments({ 'counts.likes': 1 }), 600)
})
