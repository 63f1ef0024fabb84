import { setTimeout as delay } from 'node:timers/promises'
import { MongoClient, MongoServerError } from 'mongodb'
import t, { type Test } from 'tap'
import { clientOptions } from '../../src/database/connection.ts'
import { databaseUser } from '../../src/database/database-user.ts'
import { liveClient } from '../../src/database/live-client.ts'
import { transactor } from '../../src/database/transaction.ts'
import { StartError } from '../../src/start-error.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase } from '../helper.ts'

type Thing = { _id: number; n: number }

/** A live client on a new database with 300 things; `reconnect` replaces its client by another of the same user. */
async function startLive(t: Test, idleMs?: number) {
  const { db, connection } = await freshDatabase(t)
  await db.collection<Thing>('things').insertMany(Array.from({ length: 300 }, (_, _id) => ({ _id, n: 0 })))
  const first = new MongoClient(connection.uri, clientOptions(connection))
  await first.connect()
  const live = liveClient(first, db.databaseName, idleMs)
  const user = databaseUser([{ purpose: 'requests', live }], connection)
  t.teardown(() => user.close())
  const reconnect = () => {
    user.markRefused()
    return user.replace(connection)
  }
  return { connection, db, first, live, user, reconnect, things: live.db.collection<Thing>('things') }
}

t.test('operations go to the new client after a replacement, a cursor and a transaction end on theirs', async (t) => {
  const { first, live, reconnect, things } = await startLive(t)
  const cursor = things.find({}, { batchSize: 10 })
  await cursor.next()
  const [began, replaced] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const transaction = transactor(live)(async (session) => {
    await things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session })
    began.resolve()
    await replaced.promise
    await things.bulkWrite([{ updateOne: { filter: { _id: 2 }, update: { $inc: { n: 1 } } } }], { session })
    const [seen] = await things.aggregate<Thing>([{ $match: { _id: 1 } }], { session }).toArray()
    return [seen?.n, await live.db.collection<Thing>('things').countDocuments({ n: 1 }, { session })]
  })
  await began.promise
  t.same(await reconnect(), { outcome: 'replaced' })
  let usesOfFirst = 0
  first.on('connectionCheckedOut', () => {
    usesOfFirst += 1
  })
  t.equal((await things.findOne({ _id: 1 }))?.n, 0)
  await live.db.command({ ping: 1 })
  await transactor(live)((session) => things.updateOne({ _id: 3 }, { $inc: { n: 1 } }, { session }))
  t.equal(usesOfFirst, 0)
  replaced.resolve()
  t.same(await transaction, [1, 2])
  t.equal((await cursor.toArray()).length, 299)
  t.ok(usesOfFirst > 4)
  t.equal(await things.countDocuments({ n: 1 }), 3)
})

t.test('a database handle looks like the one of the driver', async (t) => {
  const { first, live, things } = await startLive(t)
  t.equal(live.db.databaseName, first.db().databaseName)
  t.equal(things.collectionName, 'things')
  t.equal(live.db.collection('things'), things, 'a collection is opened once')
  const local = live.db.collection('things', { readConcern: { level: 'local' } })
  t.match(local.readConcern, { level: 'local' }, 'options are kept')
  t.match(things.readConcern, { level: 'majority' })
})

t.test('a replaced client is closed when it is idle, and not during an operation', async (t) => {
  const { first, reconnect, things } = await startLive(t, 100)
  let isClosed = false
  first.once('topologyClosed', () => {
    isClosed = true
  })
  const slow = things.find({ _id: 7, $where: 'sleep(1500) || true' }).toArray()
  await delay(100)
  await reconnect()
  t.equal((await slow).length, 1)
  await eventually(() => isClosed)
  await t.rejects(first.db().command({ ping: 1 }))
  t.equal(await things.countDocuments(), 300)
})

t.test('a user that MongoDB refuses replaces nothing, and the error has no password', async (t) => {
  const { connection, first, things, user } = await startLive(t, 50)
  let replacements = 0
  user.onReplaced(() => {
    replacements += 1
  })
  const refusal: unknown = await user.replace({ ...connection, password: 'canary 5417' }).catch((error) => error)
  t.ok(refusal instanceof StartError)
  t.match(refusal, { fault: 'configuration', message: /refuses the user rookery-test/ })
  t.notMatch(JSON.stringify(refusal) + String(refusal), /canary/)
  await delay(200)
  t.match(await first.db().command({ ping: 1 }), { ok: 1 }, 'the client stays open')
  t.equal(await things.countDocuments(), 300)
  t.equal(replacements, 0)
})

t.test('the current credentials replace the client only if MongoDB has refused them, and then once', async (t) => {
  const { connection, things, user } = await startLive(t)
  let replacements = 0
  user.onReplaced(() => {
    replacements += 1
  })
  t.same(await user.replace(connection), { outcome: 'unchanged' })
  user.markRefused()
  const outcomes = await Promise.all([user.replace(connection), user.replace(connection)])
  t.same(outcomes, [{ outcome: 'replaced' }, { outcome: 'unchanged' }])
  t.equal(replacements, 1)
  t.equal(await things.countDocuments(), 300)
})

t.test('a transaction that a refused user cannot abort locks its documents until the replacement', async (t) => {
  const { db, live, reconnect, things } = await startLive(t)
  const refused = new MongoServerError({ message: 'Authentication failed.', code: 18 })
  const done = transactor(live)(async (session) => {
    session.abortTransaction = async () => {
      throw refused
    }
    await things.updateOne({ _id: 1 }, { $inc: { n: 100 } }, { session })
    throw refused
  })
  await t.rejects(done, { code: 18 })
  const write = () => db.collection<Thing>('things').updateOne({ _id: 1 }, { $inc: { n: 1 } }, { maxTimeMS: 1_000 })
  await t.rejects(write(), { code: 50 })
  await reconnect()
  await write()
  t.equal((await things.findOne({ _id: 1 }))?.n, 1)
})

t.test('closing ends every client, and a replacement after it opens none', async (t) => {
  const { first, reconnect, things, user } = await startLive(t)
  await reconnect()
  await user.close()
  await t.rejects(first.db().command({ ping: 1 }))
  await t.rejects(things.findOne({}))
  t.same(await reconnect(), { outcome: 'unchanged' })
})
