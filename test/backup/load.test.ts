import { Readable, Writable } from 'node:stream'
import { BSON, type Db, Long } from 'mongodb'
import t from 'tap'
import { savedOf } from '../../src/backup/collections.ts'
import { compressTo } from '../../src/backup/file.ts'
import { type BackupPart, backupEncoder, decodeBackup, type Trailer } from '../../src/backup/format.ts'
import { assertNotRestoring, assertRestorable, finishRestore, loadBackup } from '../../src/backup/load.ts'
import { saveBackup } from '../../src/backup/save.ts'
import { collections } from '../../src/collections.ts'
import { freshDatabase } from '../helper.ts'

const names = savedOf(collections)
const running = () => new AbortController().signal

/** A backup of the database, as bytes. */
async function backUp({ client, db }: { client: Db['client']; db: Db }) {
  const chunks: Buffer[] = []
  const trailer = await saveBackup(client, db.databaseName, {
    collections: names,
    version: '1.2.3',
    dataVersion: 1,
    sink: async (bytes) => void chunks.push(bytes),
    onProgress: () => undefined,
    signal: running(),
  })
  return { bytes: Buffer.concat(chunks), trailer }
}

const parts = (bytes: Buffer) => decodeBackup(Readable.from([bytes]))

const load = (db: Db, bytes: Buffer, trailer: Trailer, signal = running()) =>
  loadBackup(db, trailer, { parts: parts(bytes), onProgress: () => undefined, signal })

/** What a collection holds, byte by byte. */
const contents = async (db: Db, name: string) =>
  (await db.collection(name).find({}, { raw: true }).sort({ _id: 1 }).toArray()).map((raw) =>
    Buffer.from(raw as unknown as Uint8Array).toString('hex'),
  )

t.test('documents come back byte by byte, and sessions and devices not at all', async (t) => {
  const from = await freshDatabase(t)
  const to = await freshDatabase(t)
  await from.db.collection<{ _id: number; [field: string]: unknown }>('posts').insertMany([
    { _id: 1, long: Long.fromNumber(5), double: new BSON.Double(5), when: new Date(0), uuid: new BSON.UUID() },
    { _id: 2, nested: { list: [null, true, { binary: new BSON.Binary(Buffer.from('a')) }], pattern: /a/i } },
  ])
  for (const name of ['accounts', 'sessions', 'devices']) await from.db.collection(name).insertOne({})
  const { bytes, trailer } = await backUp(from)
  t.equal(trailer.documents, 3)
  await assertRestorable(to.db, trailer, names)
  await load(to.db, bytes, trailer)
  await finishRestore(to.db, trailer)
  for (const name of ['posts', 'accounts']) t.same(await contents(to.db, name), await contents(from.db, name), name)
  for (const name of ['sessions', 'devices']) t.same(await contents(to.db, name), [], name)
})

t.test('after an interruption no server starts, the same backup can be repeated, and no other one', async (t) => {
  const from = await freshDatabase(t)
  const { db } = await freshDatabase(t)
  const posts = Array.from({ length: 40 }, (_, _id) => ({ _id, text: 'x'.repeat(100_000) }))
  await from.db.collection<{ _id: number }>('posts').insertMany(posts)
  await from.db.collection('keys').insertOne({ _id: 'throttle' as never, key: 'of the backup' })
  const { bytes, trailer } = await backUp(from)
  await db.collection('keys').insertOne({ _id: 'throttle' as never, key: 'of a server that has started' })

  async function* halfOf(all: AsyncIterable<BackupPart>) {
    let documents = 0
    for await (const part of all) {
      if (part.kind === 'document') documents += 1
      if (documents > 25) throw new Error('interrupted')
      yield part
    }
  }
  const half = { parts: halfOf(parts(bytes)), onProgress: () => undefined, signal: running() }
  await t.rejects(loadBackup(db, trailer, half), { message: 'interrupted' })
  await t.rejects(assertNotRestoring(db), {
    message: /^A restore into this database did not finish: run npm run restore/,
  })
  await t.rejects(assertRestorable(db, { ...trailer, sha256: 'f'.repeat(64) }, names), { message: /drop the database/ })
  await t.rejects(load(db, bytes, trailer, AbortSignal.abort(new Error('stop'))), { message: 'stop' })
  await assertRestorable(db, trailer, names)
  await load(db, bytes, trailer)
  await finishRestore(db, trailer)
  await assertNotRestoring(db)
  for (const name of ['posts', 'keys']) t.same(await contents(db, name), await contents(from.db, name), name)
  await t.rejects(assertRestorable(db, trailer, names), { message: /is not empty/ })
})

t.test('a batch that fails while others are still to come fails the restore', async (t) => {
  const from = await freshDatabase(t)
  const { db } = await freshDatabase(t)
  const posts = Array.from({ length: 60 }, (_, _id) => ({ _id, text: 'x'.repeat(100_000) }))
  await from.db.collection<{ _id: number }>('posts').insertMany(posts)
  const { bytes, trailer } = await backUp(from)
  await db.collection<{ _id: number }>('posts').insertOne({ _id: 1 })
  async function* slowly(all: AsyncIterable<BackupPart>) {
    for await (const part of all) {
      if (part.kind === 'document') await new Promise((resolve) => setTimeout(resolve, 10))
      yield part
    }
  }
  const options = { parts: slowly(parts(bytes)), onProgress: () => undefined, signal: running() }
  await t.rejects(loadBackup(db, trailer, options), { code: 11_000 })
  await t.rejects(loadBackup(db, { ...trailer, documents: 61 }, { ...options, parts: parts(bytes) }), {
    message: '60 of 61 documents were written',
  })
})

t.test('a repeated restore drops no document for one of another id with the same unique key', async (t) => {
  const from = await freshDatabase(t)
  const { db } = await freshDatabase(t)
  await from.db.collection<{ _id: number; name: string }>('usernames').insertOne({ _id: 1, name: 'ann' })
  const { bytes, trailer } = await backUp(from)
  await db.collection('usernames').createIndex({ name: 1 }, { unique: true })
  await db.collection<{ _id: number; name: string }>('usernames').insertOne({ _id: 2, name: 'ann' })
  for (let tries = 0; tries < 2; tries += 1) await t.rejects(load(db, bytes, trailer), { code: 11_000 })
})

t.test('a document that the database has already is a fault of the first try', async (t) => {
  const from = await freshDatabase(t)
  const { db } = await freshDatabase(t)
  await from.db.collection<{ _id: number }>('posts').insertOne({ _id: 1 })
  const { bytes, trailer } = await backUp(from)
  await db.collection<{ _id: number }>('posts').insertOne({ _id: 1 })
  await t.rejects(load(db, bytes, trailer), { code: 11_000 })
})

t.test('a file that is not one whole backup is refused with the reason', async (t) => {
  const chunks: Buffer[] = []
  const encoder = backupEncoder(async (bytes) => void chunks.push(bytes))
  await encoder.header({ version: '1.2.3', dataVersion: 1, startedAt: new Date() })
  await encoder.beginCollection('posts')
  await encoder.documents([BSON.serialize({ _id: 1, text: 'Hello' })])
  await encoder.endCollection()
  await encoder.trailer()
  const whole = Buffer.concat(chunks)
  const read = async (...bytes: Buffer[]) => {
    for await (const part of decodeBackup(Readable.from(bytes)))
      if (part.kind === 'trailer') t.equal(part.trailer.documents, 1)
  }
  await read(whole)
  await read(...Array.from(whole, (byte) => Buffer.of(byte)))
  for (let length = 0; length < whole.length; length += 1)
    await t.rejects(read(whole.subarray(0, length)), { name: 'BackupFormatError' }, `${length} bytes`)
  for (let at = 0; at < whole.length; at += 1) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ 4
    await t.rejects(read(damaged), `byte ${at}`)
  }
  await t.rejects(read(whole, whole), { message: 'bytes follow its end' })
  await t.rejects(read(Buffer.concat([BSON.serialize({ rookeryBackup: 2 }), whole])), { message: /of this version/ })
})

t.test('an interrupt ends a backup whose reader takes nothing', async (t) => {
  const interrupt = new AbortController()
  // The streams alone keep no process alive.
  const alive = setInterval(() => undefined, 1_000)
  t.teardown(() => clearInterval(alive))
  const stalled = new Writable({ highWaterMark: 1, write: () => setImmediate(() => interrupt.abort()) })
  const random = () => Buffer.from(Array.from({ length: 100_000 }, () => Math.floor(Math.random() * 256)))
  const saving = compressTo(stalled, interrupt.signal, async (sink) => {
    for (let n = 0; n < 50; n += 1) await sink(random())
  })
  await t.rejects(saving, { name: 'AbortError' })
})
