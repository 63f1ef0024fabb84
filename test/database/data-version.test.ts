import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { freshDatabase, testConfig } from '../helper.ts'

type Version = { _id: string; version: number }

t.test('a start records the version of the data, and one on newer data fails and changes nothing', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const start = async () => buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  await (await start()).close()
  const versions = db.collection<Version>('versions')
  const [recorded] = await versions.find().toArray()
  t.match(recorded, { _id: 'data', version: Number })
  t.ok((recorded?.version ?? 0) > 1, 'a program that asks for no second factor is older')
  await versions.updateOne({ _id: 'data' }, { $inc: { version: 1 } })
  await db.collection('posts').dropIndexes()
  await t.rejects(start(), { name: 'StartError', message: /and this program is older/ })
  t.equal((await db.collection('posts').indexes()).length, 1, 'no index of an older program')
  t.equal((await versions.findOne({ _id: 'data' }))?.version, (recorded?.version ?? 0) + 1)
})

t.test('a start that fails leaves the data to the program before it', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const versions = db.collection<{ _id: string; sha256?: string; finishedAt?: null; version?: number }>('versions')
  await versions.insertOne({ _id: 'restore', sha256: 'of a backup', finishedAt: null })
  const start = async () => buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  await t.rejects(start(), { name: 'StartError' })
  t.equal(await versions.findOne({ _id: 'data' }), null)
  await versions.deleteOne({ _id: 'restore' })
  await (await start()).close()
  t.match(await versions.findOne({ _id: 'data' }), { version: Number })
})
