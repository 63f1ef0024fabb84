import { MongoClient, type MongoClientOptions } from 'mongodb'
import t, { type Test } from 'tap'
import { type Effect, startFaultProxy } from '../../bot/chaos/fault-proxy.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase } from '../helper.ts'

/** `insert` goes through the proxy, `stored` reads past it. */
async function behindProxy(t: Test, options: MongoClientOptions = {}) {
  const { db, connection } = await freshDatabase(t)
  const proxy = await startFaultProxy(Number(new URL(connection.uri).port))
  const { username, password } = connection
  const client = new MongoClient(`mongodb://127.0.0.1:${proxy.port}/?directConnection=true`, {
    auth: { username, password },
    authSource: 'admin',
    retryWrites: false,
    ...options,
  })
  t.teardown(async () => {
    proxy.thaw()
    await client.close()
    proxy.close()
  })
  await client.connect()
  await db.createCollection('notes')
  const notes = client.db(db.databaseName).collection<{ _id: string }>('notes')
  return {
    proxy,
    insert: (id: string) => notes.insertOne({ _id: id }),
    stored: async (id: string) => (await db.collection<{ _id: string }>('notes').countDocuments({ _id: id })) === 1,
  }
}

const faults: { effect: Effect; isStored: boolean }[] = [
  { effect: 'drop', isStored: false },
  { effect: 'cut', isStored: false },
  { effect: 'drop-reply', isStored: true },
  { effect: 'cut-reply', isStored: true },
]

for (const { effect, isStored } of faults) {
  t.test(`${String(effect)}: no reply, and the document is ${isStored ? '' : 'not '}stored`, async (t) => {
    const { proxy, insert, stored } = await behindProxy(t, { socketTimeoutMS: 2_000 })
    const armed = proxy.arm({ command: 'insert', effect, skip: 1 })
    await insert('skipped')
    t.equal(armed.happened(), 0)
    await t.rejects(insert('hit'))
    t.equal(armed.happened(), 1)
    t.equal(await stored('hit'), isStored)
    await insert('next')
    t.equal(proxy.happened(), 1)
  })
}

t.test('a disarmed fault does not happen', async (t) => {
  const { proxy, insert } = await behindProxy(t)
  const armed = proxy.arm({ command: 'insert', effect: 'cut' })
  armed.disarm()
  await insert('a')
  t.equal(armed.happened(), 0)
})

t.test('a held command is carried out later, and a newer one overtakes it', async (t) => {
  const { proxy, insert, stored } = await behindProxy(t)
  const beganAt = performance.now()
  const armed = proxy.arm({ command: 'insert', effect: { holdMs: 1_000 } })
  const held = insert('held')
  await eventually(() => armed.happened() === 1)
  await insert('newer')
  if (performance.now() - beganAt < 1_000) t.notOk(await stored('held'))
  await held
  t.ok(performance.now() - beganAt >= 999)
  t.ok(await stored('held'))
})

t.test('frozen requests do not reach MongoDB, and do when they thaw', async (t) => {
  const { proxy, insert, stored } = await behindProxy(t)
  proxy.freeze('requests')
  const frozen = insert('a')
  frozen.catch(() => undefined)
  t.notOk(await stored('a'))
  proxy.thaw()
  await frozen
  t.ok(await stored('a'))
})

t.test('frozen replies: MongoDB carries out what the client waits for, also on a new connection', async (t) => {
  const { proxy, insert, stored } = await behindProxy(t)
  proxy.freeze('replies')
  let answered = false
  const frozen = insert('a').finally(() => {
    answered = true
  })
  frozen.catch(() => undefined)
  await eventually(() => stored('a'))
  t.notOk(answered)
  proxy.thaw()
  await frozen
  await insert('b')
})

t.test('disconnected: no connection until reconnect', async (t) => {
  const { proxy, insert } = await behindProxy(t, { serverSelectionTimeoutMS: 5_000 })
  proxy.disconnect()
  await t.rejects(insert('a'))
  proxy.reconnect()
  await insert('b')
})
