import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cp, open, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { generate } from 'selfsigned'
import t, { type Test } from 'tap'
import { spawnGuarded } from '../../src/embedded-mongod/child-guard.ts'
import { findFreePort, waitUntilListening } from '../../src/embedded-mongod/port.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { freshDatabase } from '../helper.ts'
import { createRuntimeUser, createUser } from '../services/users.ts'
import { expectRefusal } from './refusal.ts'
import { freshFolder, root, ServerProcess } from './server-process.ts'

const key = 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K'
const mongodBinary = process.env.TEST_MONGOD_BINARY ?? 'mongod'

/** Starts a mongod that ends with the test. @returns its host and port */
async function startMongod(t: Test, ...more: string[]): Promise<string> {
  const folder = await freshFolder(t)
  const port = await findFreePort()
  const log = await open(join(folder, 'log'), 'a')
  t.teardown(() => log.close())
  const args = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', ...more]
  const mongod = spawnGuarded(mongodBinary, args, log.fd)
  t.teardown(() => mongod.stop())
  await waitUntilListening(port, AbortSignal.timeout(60_000))
  return `127.0.0.1:${port}`
}

/** A standalone mongod with a user of its own. */
async function startStandalone(t: Test): Promise<string> {
  const host = await startMongod(t)
  const client = await new MongoClient(`mongodb://${host}`).connect()
  await client.db('admin').command({ createUser: 'rookery', pwd: 'a-password-of-it', roles: ['root'] })
  await client.close()
  return host
}

/** Mongods that require TLS, with a certificate that no authority has signed. */
async function startTls(t: Test): Promise<string> {
  const { private: privateKey, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const file = join(await freshFolder(t), 'tls.pem')
  await writeFile(file, privateKey + cert)
  return startMongod(t, '--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', file)
}

async function deadHost(): Promise<string> {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as { port: number } // TCP always
  await new Promise((resolve) => closed.close(resolve))
  return `127.0.0.1:${port}`
}

t.test('each cause of a failed start has its sentence and exit code', { timeout: 300_000 }, async (t) => {
  const { connection, db } = await freshDatabase(t)
  const { uri, username } = connection
  const { host } = new URL(uri)
  const { databaseName } = db
  const [dead, uninitiated, standalone, secure] = await Promise.all([
    deadHost(),
    startMongod(t, '--replSet', 'ours'),
    startStandalone(t),
    startTls(t),
  ])
  const withRoles = (roles: Parameters<typeof createUser>[2]) => createUser(t, connection, roles)
  const reader = await withRoles([{ role: 'read', db: databaseName }])
  const writer = await createRuntimeUser(t, connection, databaseName)
  const roleless = await withRoles([])
  const newer = await freshDatabase(t)
  await newer.db.collection<{ _id: string; version: number }>('versions').insertOne({ _id: 'data', version: 9 })
  const port = String(await findFreePort())
  const as = (user: { username: string; password: string }) => ({ DB_USER: user.username, DB_PASSWORD: user.password })

  const ours = { DB_USER: username, DB_PASSWORD: connection.password, JWT_SIGN_KEY: key, MONGODB_URI: uri }
  const at = (MONGODB_URI: string) => ({ MONGODB_URI })
  const causes: Record<string, [env: Environment, exitCode: 69 | 78, sentence: string | RegExp]> = {
    'nothing listens': [
      at(`mongodb://${dead}/rookery`),
      69,
      `MongoDB at ${dead} does not respond: check MONGODB_URI, and that MongoDB is running.`,
    ],
    'an unknown host': [
      at('mongodb://nowhere.invalid:27017/rookery?replicaSet=rookery'),
      69,
      'The MongoDB host nowhere.invalid:27017 has no address: check MONGODB_URI, and this machine’s DNS.',
    ],
    'an unknown service': [
      at('mongodb+srv://nowhere.invalid/rookery'),
      69,
      'The MongoDB host nowhere.invalid has no address: check MONGODB_URI, and this machine’s DNS.',
    ],
    'another replica set': [
      at(`mongodb://${host}/?replicaSet=theirs`),
      78,
      `MongoDB at ${host} is not a member of the replica set theirs: correct replicaSet in MONGODB_URI.`,
    ],
    'a replica set that is not initiated': [
      at(`mongodb://${uninitiated}/?replicaSet=ours`),
      69,
      `MongoDB at ${uninitiated} belongs to no replica set yet: initiate it with rs.initiate(); one node is enough.`,
    ],
    'no replica set': [
      { MONGODB_URI: `mongodb://${standalone}/rookery`, DB_USER: 'rookery', DB_PASSWORD: 'a-password-of-it' },
      78,
      `MongoDB at ${standalone} is not a replica set and has no transactions`,
    ],
    'TLS against plain': [
      at(`${uri}&tls=true`),
      69,
      `MongoDB at ${host} does not answer in TLS: remove tls=true from MONGODB_URI, or let MongoDB use TLS.`,
    ],
    'plain against TLS': [
      at(`mongodb://${secure}/rookery`),
      69,
      `MongoDB at ${secure} closes each connection at once: if it requires TLS, set tls=true in MONGODB_URI.`,
    ],
    'a certificate of no authority': [
      at(`mongodb://${secure}/rookery?tls=true`),
      78,
      `MongoDB at ${secure} shows a certificate that is not accepted (DEPTH_ZERO_SELF_SIGNED_CERT): set tlsCAFile`,
    ],
    'a wrong password': [
      { DB_PASSWORD: 'certainly-not-the-password' },
      78,
      `MongoDB at ${host} refuses the user ${username}: check DB_USER and DB_PASSWORD.`,
    ],
    'a user without roles': [
      as(roleless),
      78,
      new RegExp(
        `denies the user ${roleless.username} what the server does in the database ${databaseName}: .* on accounts`,
      ),
    ],
    'a user that may only read': [
      as(reader),
      78,
      /: insert, update, remove on accountCounts; .* npm run roles creates\.$/m,
    ],
    'a user that must not create indexes': [
      as(writer),
      78,
      /^The index .* does not exist, and the database user must not create it: run npm run indexes as a user/,
    ],
    'a database that it must not use': [
      at(`mongodb://${host}/config?replicaSet=rookery`),
      78,
      `MongoDB at ${host} denies the user ${username} a necessary privilege: not auth`,
    ],
    'an unknown option': [
      at(`mongodb://${host}/?nonsense=1`),
      78,
      'MONGODB_URI cannot be used: option nonsense is not',
    ],
    'no such file': [at(`mongodb://${host}/?tls=true&tlsCAFile=/not/there`), 78, 'MONGODB_URI cannot be used: ENOENT'],
    'newer data': [
      at(newer.connection.uri),
      78,
      /^The data of the database \w+ has version 9, and this program is older: it knows version \d\. Start the newer/,
    ],
    'one number for both ports': [
      { PORT: port, METRICS_PORT: port },
      78,
      `PORT and METRICS_PORT are both ${port}: set another METRICS_PORT.`,
    ],
    'production without a database': [
      { NODE_ENV: 'production', PUBLIC_ORIGIN: 'https://rookery.example', MONGODB_URI: '' },
      78,
      /^ {2}MONGODB_URI or DATA_DIR is required in production: DATA_DIR is where the embedded MongoDB keeps/m,
    ],
  }
  for (const [cause, [env, exitCode, sentence]] of Object.entries(causes)) {
    const all = { ...ours, START_PATIENCE_SECONDS: '0', ...env }
    await t.test(cause, async (t) => expectRefusal(t, all, sentence, exitCode))
  }
})

t.test('a limit on open files that is too low stops the start with one sentence', async (t) => {
  const command = `ulimit -n 100 && exec "$0" "${join(root, 'run.mjs')}" src/main.ts`
  const started = promisify(execFile)('/bin/sh', ['-c', command, process.execPath])
  const error =
    /^This process may open only 100 files and connections at a time: raise its limit \(ulimit -n\) to .*\n$/
  await t.rejects(started, { code: 78, stderr: error })
})

t.test('a misspelt variable is a fault in .env, and a warning in the environment', async (t) => {
  const folder = await freshFolder(t)
  await cp(join(root, 'src'), join(folder, 'src'), { recursive: true })
  for (const name of ['run.mjs', 'require-node.mjs', 'package.json']) await cp(join(root, name), join(folder, name))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, '.env'), 'ANYTHING=1\nDB_PASWORD=hunter2\nNODE_IMAGE=x\nPORT=http\nLIMIT_NONE=1\n')
  const options = { folder, envFile: true }
  const free = { PORT: undefined, METRICS_PORT: undefined }
  const { code, error } = await new ServerProcess(t, free, options).ended
  t.equal(code, 78)
  t.same(error.trimEnd().split('\n'), [
    'The configuration is invalid:',
    '  PORT must be a whole number from 0 to 65535',
    '  LIMIT_NONE is not a known limit: see env.sample',
    '  ANYTHING in .env is not a variable of Rookery: remove it, or export it for other programs',
    '  DB_PASWORD in .env is not a variable of Rookery: did you mean DB_PASSWORD?',
  ])

  const server = new ServerProcess(t, { DATA_DIR: await freshFolder(t), MONGO_URI: 'hunter2' })
  await server.says(/the variable MONGO_URI has no effect: MONGODB_URI is nearly the same/)
  t.notMatch(server.out, 'hunter2')
})
