import Fastify from 'fastify'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { database } from '../../src/database/plugin.ts'
import { transactor } from '../../src/database/transaction.ts'
import { freshDatabase } from '../helper.ts'

type Thing = { _id: string; n: number }

t.test('the transaction of a killed process holds up nobody once its successor is there', async (t) => {
  const { db, client, connection } = await freshDatabase(t)
  const things = db.collection<Thing>('things')
  await things.insertOne({ _id: 'a', n: 0 })

  // A process that dies between its write and its commit: the server hears nothing of it.
  const sessions: string[] = []
  const { uri, username, password } = connection
  const killed = new MongoClient(uri, { auth: { username, password }, authSource: 'admin' })
  t.teardown(() => killed.close())
  const written = Promise.withResolvers<void>()
  const dying = transactor(killed, (id) => void sessions.push(id))(async (session) => {
    const same = killed.db(db.databaseName).collection<Thing>('things')
    await same.updateOne({ _id: 'a' }, { $inc: { n: 100 } }, { session })
    written.resolve()
    await new Promise(() => undefined)
  }, performance.now() + 2_000)
  await written.promise
  t.equal(sessions.length, 1, 'it said which session it uses')

  const write = (ms: number) =>
    transactor(client)(
      (session) => things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session }),
      performance.now() + ms,
    )
  await t.rejects(write(500), { name: 'TransactionTimeoutError' }, 'everybody else waits in vain')

  const successor = Fastify()
  t.teardown(() => successor.close())
  const heard: string[] = []
  const crashRecovery = {
    orphanedSessions: [toUuid(sessions[0] ?? '').toString()],
    onSession: (id: string) => void heard.push(id),
  }
  await successor.register(database, { connection, collections: {}, crashRecovery })
  await successor.ready()
  await write(2_000)
  t.same(await things.findOne({ _id: 'a' }), { _id: 'a', n: 1 }, 'what was not committed is gone')
  for (let n = 0; n < 3; n += 1) await successor.transact(async () => n)
  t.equal(heard.length, 1, 'it tells its own sessions, each once')
  await t.rejects(dying, { name: 'TransactionTimeoutError' })
})
