import { MongoClient } from 'mongodb'
import t from 'tap'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { startReplicaSet } from './fixtures/replica-set.ts'

t.test('an index is built although one of three members is down', { timeout: 120_000 }, async (t) => {
  const { members, connection } = await startReplicaSet(t)
  const { uri, username, password } = connection
  const client = await new MongoClient(uri, { auth: { username, password }, authSource: 'admin' }).connect()
  t.teardown(() => client.close())
  const things = client.db().collection('things')
  await things.insertOne({ name: 'one' }, { writeConcern: { w: 3 } })
  await members[2]?.stop()
  await ensureIndexes(client.db(), { things: [{ key: { name: 1 }, unique: true }] })
  await t.rejects(things.insertOne({ name: 'one' }), { code: 11000 })
})
