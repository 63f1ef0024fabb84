import { type Db, MongoClient } from 'mongodb'
import t from 'tap'
import { inSnapshot } from '../../src/database/snapshot.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase } from '../helper.ts'

const comment = 'a read of 40 s'

async function runningReads(db: Db): Promise<number> {
  const operations = db.client.db('admin').aggregate([{ $currentOp: {} }, { $match: { 'command.comment': comment } }])
  return (await operations.toArray()).length
}

t.test('an aborted signal ends the reads of a snapshot on the server, and leaves the client usable', async (t) => {
  const { client, db } = await freshDatabase(t)
  await db.collection('numbers').insertMany(Array.from({ length: 400 }, (_, n) => ({ n })))
  const controller = new AbortController()
  const reason = new Error('the client left')
  const reading = inSnapshot(
    client,
    db.databaseName,
    (snapshot, _, options) =>
      snapshot
        .collection('numbers')
        .find({ $where: 'sleep(100) || true' }, { ...options, comment })
        .toArray(),
    controller.signal,
  )
  const ended = t.rejects(reading, reason)
  await eventually(async () => (await runningReads(db)) === 1)
  controller.abort(reason)
  await ended
  t.equal(await runningReads(db), 0)
  const count = await inSnapshot(client, db.databaseName, (snapshot, session) =>
    snapshot.collection('numbers').find({}, { session }).toArray(),
  )
  t.equal(count.length, 400)
})

t.test('a signal that is already aborted: nothing is read', async (t) => {
  const { client, db } = await freshDatabase(t)
  const reason = new Error('the client left')
  const work = () => Promise.reject(new Error('it was read'))
  await t.rejects(inSnapshot(client, db.databaseName, work, AbortSignal.abort(reason)), reason)
})

t.test('an aborted signal ends a read that MongoDB never received, and leaves the client usable', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const { username, password } = connection
  const client = new MongoClient(proxy.uri(db.databaseName), { auth: { username, password }, authSource: 'admin' })
  await client.connect()
  t.teardown(() => client.close())
  const controller = new AbortController()
  const reason = new Error('the client left')
  const read = (signal?: AbortSignal) =>
    inSnapshot(
      client,
      db.databaseName,
      (snapshot, _, options) => snapshot.collection('numbers').aggregate([], options).toArray(),
      signal,
    )
  proxy.cut({ command: 'aggregate', when: 'never', times: 1 })
  const ended = t.rejects(read(controller.signal), reason)
  await eventually(() => proxy.cuts() === 1)
  controller.abort(reason)
  await ended
  t.same(await read(), [])
})
