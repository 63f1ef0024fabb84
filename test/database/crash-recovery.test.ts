import Fastify from 'fastify'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { database } from '../../src/database/plugin.ts'
import { transactor } from '../../src/database/transaction.ts'
import { freshDatabase } from '../helper.ts'

type Thing = { _id: string; n: number }

t.test('the transaction of a killed process blocks no write once its replacement has started', async (t) => {
  const { db, client, connection } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  await things.insertOne({ _id: 'a', n: 0 })

  // A process that is killed between its write and its commit: MongoDB does not notice.
  const sessions: string[] = []
  const { uri, username, password } = connection
  const killed = new MongoClient(uri, { auth: { username, password }, authSource: 'admin' })
  t.teardown(() => killed.close())
  const written = Promise.withResolvers<void>()
  const pendingWrite = transactor(killed, { onSession: (id) => void sessions.push(id) })(async (session) => {
    const killedThings = killed.db(db.databaseName).collection<Thing>('things')
    await killedThings.updateOne({ _id: 'a' }, { $inc: { n: 100 } }, { session })
    written.resolve()
    await new Promise(() => undefined)
  }, performance.now() + 2_000)
  // From the start: on a busy machine it rejects before the replacement is ready, and would be an unhandled rejection.
  const timedOut = t.rejects(pendingWrite, { name: 'TransactionTimeoutError' })
  await written.promise
  t.equal(sessions.length, 1, 'it reported its session')

  const write = (ms: number) =>
    transactor(client)(
      (session) => things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session }),
      performance.now() + ms,
    )
  await t.rejects(write(500), { name: 'TransactionTimeoutError' }, 'other writes time out')

  const replacement = Fastify()
  t.teardown(() => replacement.close())
  const reported: string[] = []
  const crashRecovery = {
    orphanedSessions: [toUuid(sessions[0] ?? '').toString()],
    onSession: (id: string) => void reported.push(id),
  }
  await replacement.register(database, { connection, collections: {}, role: 'requests', crashRecovery })
  await replacement.ready()
  await write(2_000)
  t.same(await things.findOne({ _id: 'a' }), { _id: 'a', n: 1 }, 'the uncommitted write is gone')
  for (let n = 0; n < 3; n += 1) await replacement.transact(async () => n)
  t.equal(reported.length, 1, 'it reports each of its sessions once')
  await timedOut
})
