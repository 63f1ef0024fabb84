import { setImmediate as nextTurn } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { batchLoader } from '../../src/database/batch-loader.ts'
import { newId } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { postStore } from '../../src/posts/store.ts'
import { reactionStore } from '../../src/reactions/store.ts'
import { localWriter } from '../../src/write-operations.ts'
import { freshDatabase } from '../helper.ts'

/** A loader over a map, and the queries that it sent. */
function mapLoader(stored: Map<string, number>) {
  const queries: (readonly string[])[] = []
  const read = batchLoader<number>(async (keys) => {
    queries.push(keys)
    // As from a database: without missing keys, in any order.
    return new Map([...stored].filter(([key]) => keys.includes(key)).reverse())
  })
  return { queries, read }
}

t.test('reads in one turn of the event loop are one query, with each key once', async (t) => {
  const { queries, read } = mapLoader(new Map(Object.entries({ a: 1, b: 2, c: 3 })))
  const answers = [read('a'), read('missing'), read('b')]
  await Promise.resolve()
  answers.push(read('a'))
  await new Promise<void>((resolve) => process.nextTick(resolve))
  answers.push(read('missing'), read('c'))
  t.same(
    await Promise.all(answers),
    [1, undefined, 2, 1, undefined, 3],
    'each read gets the value of its key, undefined without one',
  )
  t.same(queries, [['a', 'missing', 'b', 'c']])

  t.same(await Promise.all([read('c'), read('c')]), [3, 3])
  t.same(queries.slice(1), [['c']], 'the next turn sends another query')
})

t.test('a single read is sent in the same turn of the event loop, without a timer', async (t) => {
  const { queries, read } = mapLoader(new Map([['a', 1]]))
  const answer = read('a')
  t.same(queries, [])
  await nextTurn()
  t.same(queries, [['a']])
  t.equal(await answer, 1)
})

t.test('a read after an acknowledged write sees it, even if a query for the same key is in flight', async (t) => {
  const { db } = await freshDatabase(t)
  const things = db.collection<{ _id: string; n: number }>('things')
  await things.insertOne({ _id: 'a', n: 1 })
  const answered = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  let queries = 0
  const read = batchLoader<number>(async (keys) => {
    queries += 1
    const found = await things.find({ _id: { $in: [...keys] } }).toArray()
    answered.resolve()
    if (queries === 1) await release.promise
    return new Map(found.map(({ _id, n }) => [_id, n]))
  })
  const before = read('a')
  await answered.promise
  await things.updateOne({ _id: 'a' }, { $set: { n: 2 } }, { writeConcern: { w: 'majority' } })
  const after = read('a')
  const afterToo = read('a')
  t.equal(await after, 2, 'while the first query has not been answered')
  release.resolve()
  t.same([await before, await afterToo], [1, 2])
  t.equal(queries, 2)
})

t.test('an error of the query rejects all of its reads, and no later ones', async (t) => {
  const broken = new Error('the database is away')
  let fails = true
  const read = batchLoader<number>(async (keys) => {
    if (fails) throw broken
    return new Map(keys.map((key) => [key, 1]))
  })
  const answers = await Promise.allSettled([read('a'), read('b'), read('a')])
  t.same(answers, Array(3).fill({ status: 'rejected', reason: broken }))
  fails = false
  t.equal(await read('a'), 1)
})

t.test('2,500 reads in one turn are three queries of at most 1,000 keys', async (t) => {
  const keys = Array.from({ length: 2_500 }, (_, n) => `k${n}`)
  const { queries, read } = mapLoader(new Map(keys.map((key, n) => [key, n])))
  const answers = await Promise.all(keys.map((key) => read(key)))
  t.same(
    queries.map(({ length }) => length),
    [1_000, 1_000, 500],
  )
  t.same(queries.flat(), keys)
  t.same(answers, [...keys.keys()])
  await Promise.all([...keys.slice(0, 1_000), ...keys.slice(0, 1_000)].map((key) => read(key)))
  t.equal(queries.length, 5, 'the 1,000th key sends the query: a repeated key after it is in the next one')
})

t.test('the stores batch their reads: five posts are one query, five reactions are one query', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { uri, ...auth } = connection
  const client = new MongoClient(uri, { auth, authSource: 'admin', monitorCommands: true })
  t.teardown(() => client.close())
  const finds: string[] = []
  client.on('commandStarted', ({ command }) => void (command.find && finds.push(command.find)))
  const own = client.db(db.databaseName)
  const writer = localWriter(own, transactor(client))
  const posts = postStore(own, writer)
  const reactions = reactionStore(own, writer)

  const [ann, bob] = [newId(), newId()]
  const made = await Promise.all(
    ['one', 'two', 'three'].map((text) => posts.create({ author: ann, text, replyTo: undefined }, undefined)),
  )
  const ids = made.flatMap((creation) => ('post' in creation ? creation.post.id : []))
  const [one = '', two = '', three = ''] = ids
  await Promise.all([
    reactions.react(one, ann, 'like'),
    reactions.react(one, bob, 'dislike'),
    reactions.react(two, bob, 'like'),
  ])

  finds.length = 0
  const found = await Promise.all([...ids, newId(), one].map((id) => posts.find(id)))
  t.same(
    found.map((post) => post?.text),
    ['one', 'two', 'three', undefined, 'one'],
  )
  t.same(finds, ['posts'])

  finds.length = 0
  const pairs = [
    [one, ann],
    [one, bob],
    [two, ann],
    [two, bob],
    [three, bob],
  ] as const
  const values = await Promise.all(pairs.map(([post, account]) => reactions.valueOf(post, account)))
  t.same(values, ['like', 'dislike', undefined, 'like', undefined])
  t.same(finds, ['reactions'])
})
