import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { type ClientSession, MongoBulkWriteError, MongoClient, MongoNetworkError, MongoServerError } from 'mongodb'
import t from 'tap'
import { clientOptions } from '../../src/database/connection.ts'
import { TransactionTimeoutError } from '../../src/database/failures.ts'
import { transactor } from '../../src/database/transaction.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, signUp, testServer } from '../helper.ts'

type Thing = { _id: string; n: number }

t.test('20 conflicting transactions are retried until all are committed', async (t) => {
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
  t.same(results, [...Array(20).keys()], 'each returns its own result')
  t.same(await things.find().toArray(), [
    { _id: 'a', n: 20 },
    { _id: 'b', n: -20 },
  ])
  t.ok(runs > 20, `${runs} runs`)
})

t.test('an error of the work is rethrown without a retry, and aborts the transaction', async (t) => {
  const { db, client } = await freshDatabase(t)
  const transact = transactor(client)
  const things = db.collection<Thing>('things')
  await things.insertOne({ _id: 'a', n: 0 })
  const failure = new Error('not today')
  let runs = 0
  const failing = transact(async (session) => {
    runs += 1
    await things.insertOne({ _id: 'b', n: 1 }, { session })
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
    throw failure
  })
  t.equal(await failing.catch((error: unknown) => error), failure)
  t.equal(runs, 1, 'no retry')
  const refused = transact((session) => things.insertOne({ _id: 'a', n: 1 }, { session }))
  t.match(await refused.catch((error: unknown) => error), { code: 11000 })
  t.same(await things.find().toArray(), [{ _id: 'a', n: 0 }])
  await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { maxTimeMS: 5_000 })
  t.pass('no lock is left')
})

t.test('a transaction may write nothing, or run no command', async (t) => {
  const { db, client } = await freshDatabase(t)
  const transact = transactor(client)
  t.equal(await transact(async () => 7), 7)
  t.equal(await transact((session) => db.collection('none').findOne({}, { session })), null)
})

t.test('the work is retried after a transient error, and after an unlabelled broken connection', async (t) => {
  const { client } = await freshDatabase(t)
  const conflict = new MongoServerError({ message: 'conflict', code: 112 })
  conflict.addErrorLabel('TransientTransactionError')
  const closed = new MongoNetworkError('closed, and without a label')
  const errors = [
    conflict,
    Object.assign(new Error('ended by the peer'), { code: 'EPIPE' }),
    closed,
    // The driver's constructor does not use the result.
    new MongoBulkWriteError(closed, {} as never),
  ]
  let runs = 0
  const done = await transactor(client)(async (session) => {
    t.ok(session.inTransaction(), 'each attempt has its own transaction')
    const error = errors[runs++]
    if (error) throw error
    return 'done'
  })
  t.equal(done, 'done')
  t.equal(runs, 5)
})

t.test('a connection that breaks during the commit: the commit is retried, and applied once', async (t) => {
  const { db, client } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  const errors = [
    Object.assign(new Error('ended by the peer'), { code: 'EPIPE' }),
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

const refused = () => new MongoServerError({ message: 'Authentication failed.', code: 18 })

t.test('a transaction whose user MongoDB refuses fails at once, and writes nothing', async (t) => {
  const { db, client } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  const cleared = new MongoNetworkError('the pool was cleared', { cause: refused() })
  for (const error of [refused(), cleared]) {
    let runs = 0
    const done = transactor(client)(async (session) => {
      runs += 1
      await things.insertOne({ _id: 'a', n: 1 }, { session })
      throw error
    })
    t.equal(await done.catch((thrown: unknown) => thrown), error)
    t.equal(runs, 1)
  }
  t.equal(await things.countDocuments(), 0)
})

t.test('a commit that is refused was not applied; after a lost reply, whether it was is unknown', async (t) => {
  const { client } = await freshDatabase(t)
  const commit = (...errors: Error[]) =>
    transactor(client)(async (session) => {
      session.commitTransaction = async () => {
        throw errors.shift() ?? new Error('one commit too many')
      }
    })
  await t.rejects(commit(refused()), { code: 18 })
  const lost = new MongoNetworkError('lost')
  await t.rejects(commit(lost, refused()), { name: 'OutcomeUnknownError', cause: { code: 18 } })
})

t.test('a commit whose reply is lost with the only server: OutcomeUnknownError', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const options = { ...clientOptions(connection, 'writer'), serverSelectionTimeoutMS: 500, monitorCommands: true }
  const client = await new MongoClient(proxy.uri(db.databaseName), options).connect()
  t.teardown(() => client.close())
  const things = client.db(db.databaseName).collection<Thing>('things')
  await things.insertOne({ _id: 'a', n: 0 })
  const lost = transactor(client)(async (session) => {
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
    proxy.cut({ command: 'commitTransaction', when: 'answered', times: 1 })
  }, performance.now() + 2_000)
  // Before the driver sends the commit again.
  client.once('commandFailed', () => proxy.disconnect())
  await t.rejects(lost, { name: 'OutcomeUnknownError' })
  t.same(await db.collection('things').find().toArray(), [{ _id: 'a', n: 1 }], 'it was committed')
})

t.test('a transaction whose session is killed during a command runs again', async (t) => {
  const { db, client } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  await things.insertOne({ _id: 'a', n: 0 })
  const slow = { $expr: { $function: { body: 'function() { sleep(3000); return true }', args: [], lang: 'js' } } }
  const increment = { updateOne: { filter: { _id: 'a', ...slow }, update: { $inc: { n: 1 } } } }
  for (const command of [
    (session: ClientSession) => things.find(slow, { session }).toArray(),
    (session: ClientSession) => things.bulkWrite([increment], { session }),
  ]) {
    let runs = 0
    await transactor(client)(async (session) => {
      runs += 1
      await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
      if (runs > 1) return
      const killed = command(session).catch((error: unknown) => error)
      const isRunning = { $match: { 'lsid.id': session.id?.id, active: true } }
      const current = () =>
        client
          .db('admin')
          .aggregate([{ $currentOp: {} }, isRunning])
          .toArray()
      await eventually(async () => (await current()).length > 0)
      await db.command({ killSessions: [session.id] })
      throw await killed
    })
    t.equal(runs, 2)
  }
  t.same(await things.find().toArray(), [{ _id: 'a', n: 2 }])
})

t.test('a commit that is interrupted is sent again, and its answer counts', async (t) => {
  const { db, client } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  let runs = 0
  await transactor(client)(async (session) => {
    runs += 1
    const commit = session.commitTransaction.bind(session)
    session.commitTransaction = async () => {
      await commit()
      session.commitTransaction = commit
      throw new MongoServerError({ message: 'operation was interrupted', code: 11601 })
    }
    await things.insertOne({ _id: 'a', n: 1 }, { session })
  })
  t.equal(runs, 1)
  t.same(await things.find().toArray(), [{ _id: 'a', n: 1 }])
})

t.test('a commit without an answer by the deadline: OutcomeUnknownError', async (t) => {
  const { client } = await freshDatabase(t)
  const deadline = performance.now() + 300
  const hung = transactor(client)(async (session) => {
    session.commitTransaction = () => new Promise(() => undefined)
  }, deadline)
  await t.rejects(hung, { name: 'OutcomeUnknownError' })
  const lost = transactor(client)(async (session) => {
    session.commitTransaction = () => Promise.reject(new MongoNetworkError('lost'))
  }, performance.now() + 300)
  await t.rejects(lost, { name: 'OutcomeUnknownError', cause: { message: 'lost' } })
})

t.test(
  'a deadline that passed in a queue: TransactionTimeoutError, nothing runs, and Node warns of no timer',
  async (t) => {
    const { client } = await freshDatabase(t)
    const warnings: string[] = []
    const note = ({ name }: Error) => warnings.push(name)
    process.on('warning', note)
    t.teardown(() => process.off('warning', note))
    const late = transactor(client)(async () => t.fail('it ran'), performance.now() - 2_000)
    await t.rejects(late, { name: 'TransactionTimeoutError' })
    await nextTurn()
    t.same(warnings, [])
  },
)

t.test('work that hangs beyond the deadline: TransactionTimeoutError, and it is never committed', async (t) => {
  const { client, db } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  const { promise, resolve } = Promise.withResolvers<void>()
  const hung = transactor(client)(async (session) => {
    await things.insertOne({ _id: 'a', n: 1 }, { session })
    await promise
  }, performance.now() + 300)
  await t.rejects(hung, { name: 'TransactionTimeoutError' })
  resolve()
  // The insertion waits until the transaction above has been aborted.
  await things.insertOne({ _id: 'a', n: 2 })
  t.same(await things.find().toArray(), [{ _id: 'a', n: 2 }])
})

t.test(
  'a document locked beyond the deadline: TransactionTimeoutError, and 503 for the client',
  { timeout: 120_000 },
  async (t) => {
    const { url, app } = await testServer(t)
    const posts = app.db.collection('posts')
    const ann = await signUp(url)
    const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Locked' } })).body
    const react = () => ann.client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
    const holder = app.mongo.client.startSession()
    holder.startTransaction()
    await posts.updateMany({ text: 'Locked' }, { $set: { locked: true } }, { session: holder })

    let isOver = false
    const holding = (async () => {
      // Otherwise the writer, which finds the post locked, would kill the transaction as orphaned.
      for (; !isOver; await delay(100)) await posts.findOne({}, { session: holder })
    })()
    const direct = app.transact((session) => posts.updateMany({}, { $set: { mine: true } }, { session }))
    const [answer, error] = await Promise.all([react(), direct.catch((error: unknown) => error)])
    isOver = true
    await holding
    t.type(error, TransactionTimeoutError)
    t.match(error, { cause: { code: 112 } }, 'the cause is the write conflict')
    t.match(answer, { statusCode: 503, headers: { 'retry-after': /^\d+$/ }, body: { code: 'database-unavailable' } })
    t.equal((await ann.client.get(`v1/posts/${id}`)).statusCode, 200, 'reads are answered')

    await holder.abortTransaction()
    await holder.endSession()
    t.match(await react(), { statusCode: 200, body: { counts: { likes: 1 } } })
    t.equal(await posts.countDocuments({ mine: true }), 0, 'the timed-out transaction wrote nothing')
  },
)
