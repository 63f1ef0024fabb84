import {
  MongoBulkWriteError,
  MongoClient,
  MongoNetworkError,
  MongoRuntimeError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb'
import t from 'tap'
import {
  isBrokenConnection,
  isDatabaseOutOfReach,
  isDuplicateKey,
  TransactionTimeoutError,
} from '../../src/database/failures.ts'
import { freshDatabase } from '../helper.ts'

const serverError = (code: number, errorLabels: string[] = []) => {
  const error = new MongoServerError({ message: 'no', code, errmsg: 'no' })
  for (const label of errorLabels) error.addErrorLabel(label)
  return error
}

const fate = (promise: Promise<unknown>) => promise.then(String, (error: unknown) => error)

t.test('what means that MongoDB cannot be asked for now', async (t) => {
  t.ok(isDatabaseOutOfReach(new TransactionTimeoutError('late')))
  t.ok(isDatabaseOutOfReach(new MongoNetworkError('gone')))
  for (const code of [91, 189, 10107, 11600, 11602, 13435, 13436, 50])
    t.ok(isDatabaseOutOfReach(serverError(code)), `${code}`)
  for (const label of ['TransientTransactionError', 'UnknownTransactionCommitResult', 'RetryableWriteError']) {
    t.ok(isDatabaseOutOfReach(serverError(8_000, [label])), label)
  }
})

t.test('a socket that broke while the driver wrote, as the driver hands it on', async (t) => {
  t.ok(isDatabaseOutOfReach(Object.assign(new Error('ended by the other party'), { code: 'EPIPE' })))
  t.ok(isDatabaseOutOfReach(Object.assign(new Error('write'), { code: 'ECONNRESET', syscall: 'write' })))
  t.notOk(isDatabaseOutOfReach(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })), 'a client that left')
  t.notOk(isDatabaseOutOfReach(Object.assign(new Error('open'), { code: 'ENOENT', syscall: 'open' })), 'a file')
})

t.test('what a bulk write puts around an error', async (t) => {
  // The driver's own constructors, which need nothing of what they are given besides.
  const wrapped = (error: Error) => new MongoBulkWriteError(error, {} as never)
  const selection = new MongoServerSelectionError('nobody', {} as never)
  for (const error of [new MongoNetworkError('gone'), selection, serverError(189)]) {
    t.ok(isDatabaseOutOfReach(wrapped(error)), error.name)
  }
  t.ok(isBrokenConnection(wrapped(new MongoNetworkError('gone'))))
  t.notOk(isBrokenConnection(wrapped(selection)), 'nothing was sent')
  t.notOk(isDatabaseOutOfReach(wrapped(serverError(11_000))))
  t.ok(isDuplicateKey(wrapped(serverError(11_000))))
})

t.test('what means that we are wrong', async (t) => {
  for (const code of [2, 13, 11000, 66]) t.notOk(isDatabaseOutOfReach(serverError(code)), `${code}`)
  for (const error of [
    new Error('x'),
    new MongoRuntimeError('x'),
    new TypeError('x'),
    undefined,
    null,
    'MongoNetworkError',
  ]) {
    t.notOk(isDatabaseOutOfReach(error), String(error))
  }
})

t.test('errors that the driver and the server really give', async (t) => {
  const { db, client } = await freshDatabase(t)
  const things = db.collection<{ _id: number }>('things')

  const nowhere = new MongoClient('mongodb://127.0.0.1:1/?replicaSet=none', { serverSelectionTimeoutMS: 50 })
  const unreachable = await fate(nowhere.db('x').command({ ping: 1 }))
  t.type(unreachable, MongoServerSelectionError)
  t.ok(isDatabaseOutOfReach(unreachable))
  await nowhere.close()
  const closed = new MongoClient(client.options.srvHost ?? 'mongodb://127.0.0.1:1')
  await closed.close()

  await things.insertOne({ _id: 1 })
  const twin = await fate(things.insertOne({ _id: 1 }))
  t.ok(isDuplicateKey(twin))
  t.notOk(isDatabaseOutOfReach(twin))

  const slow = await fate(things.find({ $where: 'sleep(2000) || true' }).maxTimeMS(20).toArray())
  t.ok(isDatabaseOutOfReach(slow), 'a query that MongoDB ended for its time')
  t.notOk(isDuplicateKey(slow))

  const refused = await fate(things.findOne({ $nonsense: 1 }))
  t.type(refused, MongoServerError)
  t.notOk(isDatabaseOutOfReach(refused), 'a query that is wrong')

  const unsure = await fate(things.insertOne({ _id: 2 }, { writeConcern: { w: 3, wtimeoutMS: 50 } }))
  t.type(unsure, MongoWriteConcernError)

  const sessions = [client.startSession(), client.startSession()] as const
  for (const session of sessions) session.startTransaction()
  await things.updateOne({ _id: 1 }, { $set: { by: 0 } }, { session: sessions[0] })
  const conflict = await fate(things.updateOne({ _id: 1 }, { $set: { by: 1 } }, { session: sessions[1] }))
  t.ok(isDatabaseOutOfReach(conflict), 'a conflict that nobody repeated')
  for (const session of sessions) await session.endSession()
})
