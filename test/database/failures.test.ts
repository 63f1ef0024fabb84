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

const settle = (promise: Promise<unknown>) => promise.then(String, (error: unknown) => error)

t.test('timeouts, network errors, elections and transient labels count as an unreachable database', async (t) => {
  t.ok(isDatabaseOutOfReach(new TransactionTimeoutError('late')))
  t.ok(isDatabaseOutOfReach(new MongoNetworkError('gone')))
  for (const code of [91, 189, 10107, 11600, 11602, 13435, 13436, 50])
    t.ok(isDatabaseOutOfReach(serverError(code)), `${code}`)
  for (const label of ['TransientTransactionError', 'UnknownTransactionCommitResult', 'RetryableWriteError']) {
    t.ok(isDatabaseOutOfReach(serverError(8_000, [label])), label)
  }
})

t.test(
  'a raw socket error of the driver counts as an unreachable database, that of a client or a file does not',
  async (t) => {
    t.ok(isDatabaseOutOfReach(Object.assign(new Error('ended by the peer'), { code: 'EPIPE' })))
    t.ok(isDatabaseOutOfReach(Object.assign(new Error('write'), { code: 'ECONNRESET', syscall: 'write' })))
    t.notOk(
      isDatabaseOutOfReach(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })),
      'an HTTP client that disconnected',
    )
    t.notOk(isDatabaseOutOfReach(Object.assign(new Error('open'), { code: 'ENOENT', syscall: 'open' })), 'a file')
  },
)

t.test('an error that a bulk write wraps is classified like the error itself', async (t) => {
  // The driver's constructors use nothing else of these arguments.
  const wrapped = (error: Error) => new MongoBulkWriteError(error, {} as never)
  const selection = new MongoServerSelectionError('no server', {} as never)
  for (const error of [new MongoNetworkError('gone'), selection, serverError(189)]) {
    t.ok(isDatabaseOutOfReach(wrapped(error)), error.name)
  }
  t.ok(isBrokenConnection(wrapped(new MongoNetworkError('gone'))))
  t.notOk(isBrokenConnection(wrapped(selection)), 'nothing was sent')
  t.notOk(isDatabaseOutOfReach(wrapped(serverError(11_000))))
  t.ok(isDuplicateKey(wrapped(serverError(11_000))))
})

t.test('errors of our own commands and bugs do not count as an unreachable database', async (t) => {
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

t.test('real errors of driver and server are classified: unreachable, duplicate key, timeout, conflict', async (t) => {
  const { db, client } = await freshDatabase(t)
  const things = db.collection<{ _id: number }>('things')

  const nowhere = new MongoClient('mongodb://127.0.0.1:1/?replicaSet=none', { serverSelectionTimeoutMS: 50 })
  const unreachable = await settle(nowhere.db('x').command({ ping: 1 }))
  t.type(unreachable, MongoServerSelectionError)
  t.ok(isDatabaseOutOfReach(unreachable))
  await nowhere.close()
  const closed = new MongoClient(client.options.srvHost ?? 'mongodb://127.0.0.1:1')
  await closed.close()

  await things.insertOne({ _id: 1 })
  const duplicate = await settle(things.insertOne({ _id: 1 }))
  t.ok(isDuplicateKey(duplicate))
  t.notOk(isDatabaseOutOfReach(duplicate))

  const slow = await settle(things.find({ $where: 'sleep(2000) || true' }).maxTimeMS(20).toArray())
  t.ok(isDatabaseOutOfReach(slow), 'a query that exceeded maxTimeMS')
  t.notOk(isDuplicateKey(slow))

  const refused = await settle(things.findOne({ $nonsense: 1 }))
  t.type(refused, MongoServerError)
  t.notOk(isDatabaseOutOfReach(refused), 'an invalid query')

  const unconfirmed = await settle(things.insertOne({ _id: 2 }, { writeConcern: { w: 3, wtimeoutMS: 50 } }))
  t.type(unconfirmed, MongoWriteConcernError)

  const sessions = [client.startSession(), client.startSession()] as const
  for (const session of sessions) session.startTransaction()
  await things.updateOne({ _id: 1 }, { $set: { by: 0 } }, { session: sessions[0] })
  const conflict = await settle(things.updateOne({ _id: 1 }, { $set: { by: 1 } }, { session: sessions[1] }))
  t.ok(isDatabaseOutOfReach(conflict), 'a write conflict')
  for (const session of sessions) await session.endSession()
})
