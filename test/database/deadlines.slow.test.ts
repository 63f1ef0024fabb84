import { setTimeout as delay } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { clientOptions } from '../../src/database/connection.ts'
import { sessionKiller } from '../../src/database/session-killer.ts'
import { transactor } from '../../src/database/transaction.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase } from '../helper.ts'

type Thing = { _id: string; n: number }

/** A client with production's options behind a proxy, and another one that reaches MongoDB directly. */
async function setUp(t: Test) {
  const { db: own, client, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const slow = new MongoClient(proxy.uri(''), clientOptions(connection, 'requests'))
  t.teardown(() => slow.close())
  const things = slow.db(own.databaseName).collection<Thing>('things')
  await own.collection<Thing>('things').insertOne({ _id: 'a', n: 0 })
  // With production's options: $currentOp does not accept their read concern.
  const signals = new MongoClient(connection.uri, clientOptions(connection, 'signals'))
  t.teardown(() => signals.close())
  const killer = sessionKiller(signals.db(own.databaseName))
  return {
    proxy,
    things,
    killer,
    /** What other processes see and do. */
    others: own.collection<Thing>('things'),
    transact: transactor(slow, { kill: killer.kill }),
    transactWithoutKill: transactor(client),
  }
}

t.test('a transaction whose message is lost holds no lock beyond its deadline', async (t) => {
  const { proxy, things, others, transact } = await setUp(t)
  proxy.cut({ command: 'update', when: 'never', times: 1, skip: 1 })
  const lost = transact(async (session) => {
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
  }, performance.now() + 1_000)
  await t.rejects(lost, { name: 'TransactionTimeoutError' })
  t.match(await others.updateOne({ _id: 'a' }, { $inc: { n: 10 } }, { maxTimeMS: 2_000 }), { modifiedCount: 1 })
  t.same(await others.findOne(), { _id: 'a', n: 10 })
})

t.test('a commit that never arrives: its outcome is unknown, it holds no lock, and is never applied', async (t) => {
  const { proxy, things, others, transact } = await setUp(t)
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 1 })
  const lost = transact(async (session) => {
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
  }, performance.now() + 1_000)
  await t.rejects(lost, { name: 'OutcomeUnknownError' })
  t.match(await others.updateOne({ _id: 'a' }, { $inc: { n: 10 } }, { maxTimeMS: 2_000 }), { modifiedCount: 1 })
  // The driver sends the commit again when its socket has timed out, after 10 s.
  await delay(12_000)
  t.same(await others.findOne(), { _id: 'a', n: 10 })
})

t.test('a commit whose reply is lost has been applied once, whatever its caller is told', async (t) => {
  const { proxy, things, others, transact } = await setUp(t)
  proxy.cut({ command: 'commitTransaction', when: 'answered', times: 1 })
  await transact(async (session) => {
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
  })
  t.same(await others.findOne(), { _id: 'a', n: 1 })
})

t.test('the transaction of a process that has exited is killed at the second look', async (t) => {
  const { proxy, things, others, killer, transact } = await setUp(t)
  const locked = Promise.withResolvers<void>()
  const dead = transact(async (session) => {
    await things.updateOne({ _id: 'a' }, { $inc: { n: 1 } }, { session })
    proxy.disconnect()
    locked.resolve()
    await delay(8_000)
  }).catch((error: Error) => error)
  await locked.promise
  t.equal(await killer.killOrphans(), 0, 'not at the first look')
  let killed = 0
  await eventually(async () => {
    killed += await killer.killOrphans()
    return killed > 0
  })
  t.match(await others.updateOne({ _id: 'a' }, { $inc: { n: 10 } }, { maxTimeMS: 2_000 }), { modifiedCount: 1 })
  proxy.reconnect()
  t.type(await dead, Error)
  t.equal((await others.findOne())?.n, 10)
})
