import { stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { test } from 'tap'
import { grantEveryDatabase } from '../../src/embedded-mongod/admin.ts'
import { StartError } from '../../src/start-error.ts'
import { client, portOf, startElsewhere, startHere, username } from './fixtures/server.ts'

test('the first start logs where the data is; a client needs the password, over loopback only', async (t) => {
  const dataDir = join(t.testdir(), 'a directory with spaces')
  const { uri, logged } = await startHere(t, dataDir)
  t.equal(logged.length, 1, 'one line')
  t.match(logged[0], dataDir)

  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
  t.equal(await mode(dataDir), '700')
  t.equal(await mode(join(dataDir, 'mongod', 'data')), '700')
  t.equal(await mode(join(dataDir, 'mongod', 'key')), '600')
  t.equal(await mode(join(dataDir, 'mongod', 'log')), '600')

  const find = (mongo: MongoClient) => mongo.db('rookery').collection('things').findOne()
  await t.rejects(find(client(t, uri, null)), { code: 13 }, 'without credentials')
  await t.rejects(find(client(t, uri, 'wrong')), { code: 18 }, 'a wrong password')
  await t.resolves(find(client(t, uri)), 'the right one')

  const port = portOf(uri)
  t.equal(await connects('127.0.0.1', port), true)
  t.equal(await connects('127.0.0.2', port), false, 'no other address of this machine')
})

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

test('the password of a user can change, and another user be created, while mongod runs', async (t) => {
  const { uri, setUser } = await startHere(t, t.testdir())
  const find = (name: string, password: string) => {
    const mongo = new MongoClient(uri, { auth: { username: name, password } })
    t.teardown(() => mongo.close())
    return mongo.db('rookery').collection('things').findOne()
  }
  await setUser(username, 'second password')
  await t.rejects(find(username, 'first password'), { code: 18 })
  await t.resolves(find(username, 'second password'))
  await setUser('another', 'password')
  await setUser('another', 'password')
  await t.resolves(find('another', 'password'))
})

test('the user can do what the application does, and cannot create users or shut down', async (t) => {
  const mongo = client(t, (await startHere(t, t.testdir())).uri)
  const db = mongo.db('rookery')
  const things = db.collection<{ _id: number }>('things')
  await things.createIndex({ a: 1 }, { unique: true, partialFilterExpression: { a: { $exists: true } } })
  await db.createCollection('shaped', { validator: { a: { $exists: true } } })
  await db.command({ collMod: 'shaped', validator: {} })
  await mongo.withSession((session) =>
    session.withTransaction(() => things.insertOne({ _id: 1 }, { session }), { writeConcern: { w: 'majority' } }),
  )
  const changes = things.watch()
  const next = changes.next()
  const insert = setInterval(() => void things.insertOne({ _id: Date.now() }).catch(() => undefined), 100)
  t.match(await next, { operationType: 'insert' })
  clearInterval(insert)
  await changes.close()
  await db.dropDatabase()
  for (const other of ['another', 'admin', 'local', 'config']) {
    const elsewhere = mongo.db(other).collection('things')
    await t.rejects(elsewhere.insertOne({ a: 1 }), { code: 13 }, `writing to ${other}`)
    await t.rejects(elsewhere.findOne(), { code: 13 }, `reading ${other}`)
  }
  await t.rejects(mongo.db('admin').command({ createUser: 'x', pwd: 'x', roles: ['root'] }), { code: 13 })
  await t.rejects(mongo.db('admin').command({ shutdown: 1 }), { code: 13 })
})

test('a restart keeps the data and the port, and a new password replaces the old one', async (t) => {
  const dataDir = t.testdir()
  const first = await startHere(t, dataDir)
  await client(t, first.uri).db('rookery').collection('things').insertOne({ kept: true })
  await first.close()

  const second = await startHere(t, dataDir, 'second: p@ss/wörd')
  t.same(second.logged, [], 'without a log line')
  t.equal(second.uri, first.uri, 'on the same port')
  t.match(await client(t, second.uri, 'second: p@ss/wörd').db('rookery').collection('things').findOne(), { kept: true })
  await t.rejects(client(t, second.uri).db('rookery').command({ ping: 1 }), { code: 18 })
  const { users } = await client(t, second.uri, 'second: p@ss/wörd').db('admin').command({ usersInfo: username })
  t.equal(users.length, 1)
})

test('a user that an earlier version gave every database keeps its own only', async (t) => {
  const dataDir = t.testdir()
  const first = await startHere(t, dataDir)
  await first.administer((admin) => grantEveryDatabase(admin, username))
  const insert = (uri: string) => client(t, uri).db('another').collection('things').insertOne({ a: 1 })
  await t.resolves(insert(first.uri))
  await first.close()
  const second = await startHere(t, dataDir)
  await t.rejects(insert(second.uri), { code: 13 })
  await t.resolves(client(t, second.uri).db('rookery').collection('things').insertOne({ a: 1 }))
})

test('a second server on the directory is refused, with the pid of the first', async (t) => {
  const dataDir = t.testdir()
  const { pid, uri } = await startElsewhere(t, dataDir)
  const attempt = startHere(t, dataDir)
  await t.rejects(attempt, StartError)
  await t.rejects(attempt, { message: new RegExp(`${dataDir} is in use .*process ${pid}`) })
  await t.resolves(client(t, uri).db('rookery').command({ ping: 1 }), 'the first keeps running')
})

test('an unusable directory is refused with the reason', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file')
  await t.rejects(
    startHere(t, file),
    new StartError(`DATA_DIR ${file} cannot be used: a file has that name. Set another DATA_DIR.`),
  )
  await t.rejects(startHere(t, join(file, 'below')), { message: /a part of the path is a file/ })
})

test('when mongod does not start, the reason is in the error and the directory is unlocked', async (t) => {
  const dataDir = t.testdir()
  await (await startHere(t, dataDir)).close()
  const turtle = join(dataDir, 'mongod', 'data', 'WiredTiger.turtle')
  await writeFile(turtle, 'not what it was')
  for (const round of ['first', 'second']) {
    const attempt = startHere(t, dataDir)
    await t.rejects(attempt, StartError, round)
    await t.rejects(attempt, { message: /does not start on DATA_DIR .*: WiredTiger error .* Its log is/ })
  }
})
