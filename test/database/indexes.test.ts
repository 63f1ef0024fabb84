import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { collections } from '../../src/collections.ts'
import { type Collections, ensureIndexes } from '../../src/database/indexes.ts'
import { StartError } from '../../src/start-error.ts'
import { freshDatabase, testConfig, testServer } from '../helper.ts'

const fate = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error: unknown) => error,
  )
const wanted: Collections = { things: [{ key: { name: 1 }, unique: true }, { key: { owner: 1, at: -1 } }], empty: [] }

t.test('a server makes every collection and index that the code names', async (t) => {
  const { db } = await testServer(t)
  const names = (await db.listCollections().toArray()).map(({ name }) => name)
  t.same(names.sort(), Object.keys(collections).sort(), 'and no other')
  for (const [name, indexes] of Object.entries(collections)) {
    const found = (await db.collection(name).indexes()).map(({ key }) => JSON.stringify(key))
    const keys = [{ _id: 1 }, ...indexes.map(({ key }) => key)].map((key) => JSON.stringify(key))
    t.same(found.sort(), keys.sort(), name)
  }
})

t.test('a second start finds them, ten at once on an empty database make them once', async (t) => {
  const { db } = await freshDatabase(t)
  t.same(await Promise.all(Array.from({ length: 10 }, () => fate(ensureIndexes(db, wanted)))), Array(10).fill('fine'))
  t.equal(await fate(ensureIndexes(db, wanted)), 'fine')
  t.equal((await db.collection('things').indexes()).length, 3)
})

t.test('a unique index that is missing is made, data in place', async (t) => {
  const { db } = await freshDatabase(t)
  await ensureIndexes(db, wanted)
  await db.collection('things').insertMany([{ name: 'a' }, { name: 'b' }])
  await db.collection('things').dropIndexes()
  await ensureIndexes(db, wanted)
  await t.rejects(db.collection('things').insertOne({ name: 'a' }), { code: 11000 })
})

for (const [what, other] of [
  ['not unique', { key: { name: 1 } }],
  ['partial', { key: { name: 1 }, unique: true, partialFilterExpression: { old: true } }],
  ['sparse', { key: { name: 1 }, unique: true, sparse: true }],
  ['of another collation', { key: { name: 1 }, unique: true, collation: { locale: 'en', strength: 2 } }],
  ['one that forgets', { key: { name: 1 }, unique: true, expireAfterSeconds: 60 }],
  ['of another key under its name', { key: { title: 1 }, unique: true, name: 'name_1' }],
] as const) {
  t.test(`an index that is ${what} stops the start, and its name is said`, async (t) => {
    const { db } = await freshDatabase(t)
    await db.collection('things').createIndexes([other])
    const error = await fate(ensureIndexes(db, wanted))
    t.type(error, StartError)
    t.match(error, { message: /^The index \{"name":1\} \(unique\) of the collection things cannot be created: / })
  })
}

t.test('an index more disturbs nobody', async (t) => {
  const { db } = await freshDatabase(t)
  await db.collection('things').createIndexes([{ key: { colour: 1 } }, { key: { name: 1 }, name: 'mine' }])
  t.equal(await fate(ensureIndexes(db, wanted)), 'fine')
  await t.rejects(db.collection('things').insertMany([{ name: 'a' }, { name: 'a' }]), { code: 11000 })
})

t.test('data that a unique index cannot hold stops the start and is not touched', async (t) => {
  const { db } = await freshDatabase(t)
  await db.collection('things').insertMany([{ name: 'twin' }, { name: 'twin' }])
  const error = await fate(ensureIndexes(db, wanted))
  t.type(error, StartError)
  t.match(error, {
    message: /\{"name":1\} \(unique\) of the collection things .*(E11000|duplicate).*remove the duplicates/s,
  })
  t.equal(await db.collection('things').countDocuments(), 2)
})

t.test('the whole server does not start with a wrong index, and leaves no connection', async (t) => {
  const { db, connection } = await freshDatabase(t)
  await db.collection('posts').createIndex({ author: 1, _id: -1 }, { unique: true })
  const error = await fate(
    testConfig(connection).then((config) => buildApp(config, connection, pino({ level: 'silent' }))),
  )
  t.type(error, StartError)
  t.match(error, { message: /\{"author":1,"_id":-1\} of the collection posts/ })
})
