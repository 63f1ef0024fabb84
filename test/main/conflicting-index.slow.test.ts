import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { spawnGuarded } from '../../src/embedded-mongod/child-guard.ts'
import { findFreePort, waitUntilListening } from '../../src/embedded-mongod/port.ts'
import { dataCollections } from '../data-collections.ts'
import { freshDatabase } from '../helper.ts'
import { expectRefusal } from './refusal.ts'
import { freshFolder, startServer } from './server-process.ts'

const key = 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K'

t.test('a database out of reach, or that refuses the user, stops the start with one sentence', async (t) => {
  const { connection } = await freshDatabase(t)
  const { host, search } = new URL(connection.uri)
  const env = { DB_USER: connection.username, DB_PASSWORD: connection.password, JWT_SIGN_KEY: key }
  const refusal = (MONGODB_URI: string, sentence: string, more = {}, exitCode: 69 | 78 = 78) =>
    expectRefusal(t, { ...env, MONGODB_URI, ...more }, sentence, exitCode)

  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const dead = `127.0.0.1:${(closed.address() as { port: number }).port}` // TCP always
  await new Promise((resolve) => closed.close(resolve))
  await refusal(
    `mongodb://${dead}/rookery`,
    `MongoDB at ${dead} does not respond: check MONGODB_URI, and that MongoDB is running.`,
    {},
    69,
  )

  const wrong = { DB_PASSWORD: 'certainly-not-the-password' }
  const us = connection.username
  await refusal(connection.uri, `MongoDB at ${host} refuses the user ${us}: check DB_USER and DB_PASSWORD.`, wrong)
  await refusal(
    `mongodb://${host}/config${search}`,
    `MongoDB at ${host} denies the user ${us} a necessary privilege: not auth`,
  )
  await refusal(`mongodb://${host}/?nonsense=1`, 'MONGODB_URI cannot be used: option nonsense is not supported')
  await refusal(`mongodb://${host}/?tls=true&tlsCAFile=/not/there`, 'MONGODB_URI cannot be used: ENOENT')
})

t.test('a standalone mongod stops the start with one sentence', async (t) => {
  const folder = await freshFolder(t)
  const port = await findFreePort()
  const log = await open(join(folder, 'log'), 'a')
  t.teardown(() => log.close())
  const binary = process.env.TEST_MONGOD_BINARY ?? 'mongod'
  const lone = spawnGuarded(binary, ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1'], log.fd)
  t.teardown(() => lone.stop())
  await waitUntilListening(port, AbortSignal.timeout(60_000))
  const uri = `mongodb://127.0.0.1:${port}/rookery`
  const client = await new MongoClient(uri).connect()
  await client.db('admin').command({ createUser: 'rookery', pwd: 'a-password-of-it', roles: ['root'] })
  await client.close()
  const env = { MONGODB_URI: uri, DB_PASSWORD: 'a-password-of-it', JWT_SIGN_KEY: key }
  await expectRefusal(t, env, `MongoDB at 127.0.0.1:${port} is not a replica set`)
})

t.test('an index that lost its uniqueness stops the start with its name', async (t) => {
  const { connection, db } = await freshDatabase(t)
  const { uri, username, password } = connection
  const env = { MONGODB_URI: uri, DB_USER: username, DB_PASSWORD: password, JWT_SIGN_KEY: key }
  const server = await startServer(t, env)
  t.match(server.out, /Database {4}MONGODB_URI/)
  await server.kill('SIGTERM')

  const collections = await dataCollections(db)
  const indexes = collections.map(async (collection) => ({
    name: collection.collectionName,
    indexes: await collection.indexes(),
  }))
  const unique = (await Promise.all(indexes)).flatMap(({ name, indexes }) =>
    indexes.filter(({ unique }) => unique).map((index) => ({ name, index })),
  )
  t.ok(unique.length > 0, 'there are unique indexes besides _id')
  for (const { name, index } of unique) {
    const { v: _, name: indexName = '', unique: __, ...rest } = index
    await db.collection(name).dropIndex(indexName)
    await db.collection(name).createIndexes([{ ...rest, name: indexName }])
    const named = `The index ${JSON.stringify(index.key)} (unique) of the collection ${name} cannot be created`
    await expectRefusal(t, env, named)
    await db.collection(name).dropIndex(indexName)
    await startServer(t, env).then((mended) => mended.kill('SIGTERM'))
    const made = (await db.collection(name).indexes()).filter(({ unique }) => unique).map(({ key }) => key)
    t.same(made, [index.key], 'a missing index is created')
  }
})
