import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { collections, views } from '../../src/collections.ts'
import { type Collections, ensureIndexes } from '../../src/database/indexes.ts'
import { StartError } from '../../src/start-error.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, testConfig } from '../helper.ts'

const settle = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: unknown) => error,
  )
const required: Collections = { things: [{ key: { name: 1 }, unique: true }, { key: { owner: 1, at: -1 } }], empty: [] }

t.test('a server creates every collection, view and index of collections.ts, and no other', async (t) => {
  // Not one that another test has profiled, which makes a collection.
  const { db, connection } = await freshDatabase(t)
  const app = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  const names = (await db.listCollections().toArray()).map(({ name }) => name)
  t.same(names.sort(), [...Object.keys({ ...collections, ...views }), 'system.views'].sort(), 'collections')
  for (const [name, indexes] of Object.entries(collections)) {
    const found = (await db.collection(name).indexes()).map(({ key }) => JSON.stringify(key))
    const keys = [{ _id: 1 }, ...indexes.map(({ key }) => key)].map((key) => JSON.stringify(key))
    t.same(found.sort(), keys.sort(), name)
  }
})

t.test(
  'ten concurrent starts on an empty database create each index once; a later start changes nothing',
  async (t) => {
    const { db } = await freshDatabase(t)
    t.same(
      await Promise.all(Array.from({ length: 10 }, () => settle(ensureIndexes(db, required)))),
      Array(10).fill('resolved'),
    )
    t.equal(await settle(ensureIndexes(db, required)), 'resolved')
    t.equal((await db.collection('things').indexes()).length, 3)
  },
)

t.test('a missing unique index is created on existing data', async (t) => {
  const { db } = await freshDatabase(t)
  await ensureIndexes(db, required)
  await db.collection('things').insertMany([{ name: 'a' }, { name: 'b' }])
  await db.collection('things').dropIndexes()
  await ensureIndexes(db, required)
  await t.rejects(db.collection('things').insertOne({ name: 'a' }), { code: 11000 })
})

for (const [what, other] of [
  ['not unique', { key: { name: 1 } }],
  ['partial', { key: { name: 1 }, unique: true, partialFilterExpression: { old: true } }],
  ['sparse', { key: { name: 1 }, unique: true, sparse: true }],
  ['of another collation', { key: { name: 1 }, unique: true, collation: { locale: 'en', strength: 2 } }],
  ['a TTL index', { key: { name: 1 }, unique: true, expireAfterSeconds: 60 }],
  ['of another key under the same name', { key: { title: 1 }, unique: true, name: 'name_1' }],
] as const) {
  t.test(`an index that is ${what} fails the start with an error that names the index`, async (t) => {
    const { db } = await freshDatabase(t)
    await db.collection('things').createIndexes([other])
    const error = await settle(ensureIndexes(db, required))
    t.type(error, StartError)
    t.match(error, { message: /^The index \{"name":1\} \(unique\) of the collection things cannot be created: / })
  })
}

t.test('additional indexes and another name do not fail the start', async (t) => {
  const { db } = await freshDatabase(t)
  await db.collection('things').createIndexes([{ key: { colour: 1 } }, { key: { name: 1 }, name: 'mine' }])
  t.equal(await settle(ensureIndexes(db, required)), 'resolved')
  await t.rejects(db.collection('things').insertMany([{ name: 'a' }, { name: 'a' }]), { code: 11000 })
})

t.test('duplicates under a unique index fail the start and are left as they are', async (t) => {
  const { db } = await freshDatabase(t)
  await db.collection('things').insertMany([{ name: 'twin' }, { name: 'twin' }])
  const error = await settle(ensureIndexes(db, required))
  t.type(error, StartError)
  t.match(error, {
    message: /\{"name":1\} \(unique\) of the collection things .*(E11000|duplicate).*remove the duplicates/s,
  })
  t.equal(await db.collection('things').countDocuments(), 2)
})

t.test('buildApp throws a StartError for a conflicting index of a real collection', async (t) => {
  const { db, connection } = await freshDatabase(t)
  await db.collection('posts').createIndex({ author: 1, _id: -1 }, { unique: true })
  const error = await settle(
    testConfig(connection).then((config) => buildApp(config, connection, pino({ level: 'silent' }))),
  )
  t.type(error, StartError)
  t.match(error, { message: /\{"author":1,"_id":-1\} of the collection posts/ })
})

/** Has MongoDB build an index that it cannot finish until `release` is called or 10 s have passed. */
async function heldBuild(t: Test, { db, client }: Awaited<ReturnType<typeof freshDatabase>>, documents: object[]) {
  const things = db.collection('things')
  await things.insertMany(documents)
  const session = client.startSession()
  t.teardown(() => session.endSession())
  for (let attempts = 1; attempts <= 20; attempts += 1) {
    // The more there is to read, the more time to write beside the build: it cannot end before the transaction then.
    await things.insertMany(Array.from({ length: 20_000 }, (_, n) => ({ name: `filler ${attempts} ${n}` })))
    let hasEnded = false
    const built = settle(things.createIndexes([{ key: { name: 1 }, unique: true }])).finally(() => {
      hasEnded = true
    })
    await eventually(async () => hasEnded || (await things.indexes()).length > 1, { everyMs: 1 })
    session.startTransaction()
    // Refused while the build holds the collection's lock, at its begin and its end.
    const written = await settle(things.insertOne({ name: 'held' }, { session }))
    const listed = await db.command({ listIndexes: 'things', includeIndexBuildInfo: true })
    const isBuilding = listed.cursor.firstBatch.some((index: object) => 'indexBuildInfo' in index)
    const release = async () => {
      await session.abortTransaction()
      return built
    }
    if (written === 'resolved' && isBuilding) return release
    await release()
    await settle(things.dropIndexes())
  }
  throw new Error('each build had ended before the transaction wrote')
}

t.test('a start waits for an index that another builds', async (t) => {
  const database = await freshDatabase(t)
  const release = await heldBuild(t, database, [{ name: 'one' }])
  const begun = Promise.withResolvers<string>()
  const onBegun = (_: string, keys: string) => begun.resolve(keys)
  const only = { things: [{ key: { name: 1 }, unique: true }] }
  const second = ensureIndexes(database.db, only, { onBegun, onBuilt() {} }).then(() => 'ended')
  t.equal(await Promise.race([begun.promise, second]), '{"name":1}')
  t.equal(await release(), 'resolved')
  t.equal(await second, 'ended')
  await t.rejects(database.db.collection('things').insertMany([{ name: 'a' }, { name: 'a' }]), { code: 11000 })
})

t.test('a start fails for a unique index that another builds in vain', async (t) => {
  const database = await freshDatabase(t)
  const release = await heldBuild(t, database, [{ name: 'twin' }, { name: 'twin' }])
  const begun = Promise.withResolvers<void>()
  const second = settle(ensureIndexes(database.db, required, { onBegun: () => begun.resolve(), onBuilt() {} }))
  await begun.promise
  t.match(await release(), { code: 11000 })
  t.match(await second, { message: /\{"name":1\} \(unique\) of the collection things .*remove the duplicates/s })
})
