import { MongoBulkWriteError, MongoNetworkError, MongoServerError } from 'mongodb'
import t from 'tap'
import { TransactionTimeoutError } from '../../src/database/failures.ts'
import { transactor } from '../../src/database/transaction.ts'
import { freshDatabase, signUp, testServer } from '../helper.ts'

type Thing = { _id: string; n: number }

t.test('a conflict is tried again until everybody’s writes are in', async (t) => {
  const { db, client } = await freshDatabase(t)
  const transact = transactor(client)
  const things = db.collection<Thing>('things')
  await things.insertMany([
    { _id: 'a', n: 0 },
    { _id: 'b', n: 0 },
  ])
  let runs = 0
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      transact(async (session) => {
        runs += 1
        const a = await things.findOne({ _id: 'a' }, { session })
        await things.updateOne({ _id: 'a' }, { $set: { n: (a?.n ?? 0) + 1 } }, { session })
        await things.updateOne({ _id: 'b' }, { $inc: { n: -1 } }, { session })
        return i
      }),
    ),
  )
  t.same(results, [...Array(20).keys()], 'each gets its own result')
  t.same(await things.find().toArray(), [
    { _id: 'a', n: 20 },
    { _id: 'b', n: -20 },
  ])
  t.ok(runs > 20, `${runs} runs`)
})

t.test('what the work throws is thrown on, and nothing is left', async (t) => {
  const { db, client } = await freshDatabase(t)
  const transact = transactor(client)
  const things = db.collection<Thing>('things')
  await things.insertOne({ _id: 'a', n: 0 })
  const wrong = new Error('changed my mind')
  let runs = 0
  const failing = transact(async (session) => {
    runs += 1
    await things.insertOne({ _id: 'b', n: 1 }, { session })
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
    throw wrong
  })
  t.equal(await failing.catch((error: unknown) => error), wrong)
  t.equal(runs, 1, 'it is not tried again')
  const refused = transact((session) => things.insertOne({ _id: 'a', n: 1 }, { session }))
  t.match(await refused.catch((error: unknown) => error), { code: 11000 })
  t.same(await things.find().toArray(), [{ _id: 'a', n: 0 }])
  await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { maxTimeMS: 5_000 })
  t.pass('and nothing is locked')
})

t.test('work that writes nothing, or does nothing, is fine', async (t) => {
  const { db, client } = await freshDatabase(t)
  const transact = transactor(client)
  t.equal(await transact(async () => 7), 7)
  t.equal(await transact((session) => db.collection('none').findOne({}, { session })), null)
})

t.test('an error that MongoDB calls transient, and a broken connection, run the work again', async (t) => {
  const { client } = await freshDatabase(t)
  const conflict = new MongoServerError({ message: 'conflict', code: 112 })
  conflict.addErrorLabel('TransientTransactionError')
  const closed = new MongoNetworkError('closed, and without a label')
  const errors = [
    conflict,
    Object.assign(new Error('ended by the other party'), { code: 'EPIPE' }),
    closed,
    // The driver's own constructor looks at nothing of the result.
    new MongoBulkWriteError(closed, {} as never),
  ]
  let runs = 0
  const done = await transactor(client)(async (session) => {
    t.ok(session.inTransaction(), 'in a transaction of its own')
    const error = errors[runs++]
    if (error) throw error
    return 'done'
  })
  t.equal(done, 'done')
  t.equal(runs, 5)
})

t.test('a connection that breaks under the commit: it is asked for again, and happens once', async (t) => {
  const { db, client } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  const errors = [
    Object.assign(new Error('ended by the other party'), { code: 'EPIPE' }),
    new MongoNetworkError('closed, and without a label'),
  ]
  let runs = 0
  await transactor(client)(async (session) => {
    runs += 1
    const commit = session.commitTransaction.bind(session)
    session.commitTransaction = async () => {
      await commit()
      const error = errors.shift()
      if (error) throw error
    }
    await things.insertOne({ _id: 'a', n: 1 }, { session })
  })
  t.equal(runs, 1)
  t.same(await things.find().toArray(), [{ _id: 'a', n: 1 }])
})

t.test('what others hold for too long is given up, and the client gets 503', { timeout: 120_000 }, async (t) => {
  const { url, app } = await testServer(t)
  const posts = app.db.collection('posts')
  const ann = await signUp(url)
  const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Held' } })).body
  const react = () => ann.client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  const holder = app.mongo.client.startSession()
  holder.startTransaction()
  await posts.updateMany({ text: 'Held' }, { $set: { held: true } }, { session: holder })

  const direct = app.transact((session) => posts.updateMany({}, { $set: { mine: true } }, { session }))
  const [answer, error] = await Promise.all([react(), direct.catch((error: unknown) => error)])
  t.type(error, TransactionTimeoutError)
  t.match(error, { cause: { code: 112 } }, 'it says what stood in the way')
  t.match(answer, { statusCode: 503, headers: { 'retry-after': /^\d+$/ }, body: { code: 'database-unavailable' } })
  t.equal((await ann.client.get(`v1/posts/${id}`)).statusCode, 200, 'reading goes on')

  await holder.abortTransaction()
  await holder.endSession()
  t.match(await react(), { statusCode: 200, body: { counts: { likes: 1 } } })
  t.equal(await posts.countDocuments({ mine: true }), 0, 'what was given up was not done')
})
