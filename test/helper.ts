import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import got, { type Got } from 'got'
import { type Db, MongoClient } from 'mongodb'
import { pino } from 'pino'
import type { Test } from 'tap'
import { CookieJar } from 'tough-cookie'
import { buildApp } from '../src/app.ts'
import { collections } from '../src/collections.ts'
import { readConfig } from '../src/config.ts'
import type { Environment } from '../src/environment/environment.ts'
import { startBehindGateway } from './gateway-server.ts'

/** A password that the server accepts, and whose strength it estimates in a fifth of the time of a sentence. */
export const password = 'vexed quartz lynx'

/** The mongod of this test run, which test/run.ts starts. */
function testDatabase() {
  const { TEST_MONGODB_URI, TEST_DB_USER, TEST_DB_PASSWORD } = process.env
  if (!TEST_MONGODB_URI || !TEST_DB_USER || !TEST_DB_PASSWORD) {
    throw new Error('Tests need a database: run "npm test", or "npm run test:file -- test/one.test.ts".')
  }
  return { uri: TEST_MONGODB_URI, username: TEST_DB_USER, password: TEST_DB_PASSWORD }
}

const newName = () => `test_${randomBytes(6).toString('hex')}`

async function openDatabase(name: string) {
  const { uri, username, password } = testDatabase()
  const url = new URL(uri)
  url.pathname = `/${name}`
  // Connections of which most tests use few: a server opens 16 at its start.
  url.searchParams.set('minPoolSize', '0')
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin' })
  await client.connect()
  return { db: client.db(name), client, connection: { uri: url.href, username, password } }
}

/** A new database, dropped when the test ends. */
export async function freshDatabase(t: Test) {
  const database = await openDatabase(newName())
  t.teardown(async () => {
    await database.db.dropDatabase()
    await database.client.close()
  })
  return database
}

/** Databases of ended tests, without documents: to create 60 collections and indexes takes as long as many a test. */
const emptied: string[] = []

/** A database without documents, which another test's server may have used. */
async function emptyDatabase(t: Test) {
  const database = await openDatabase(emptied.pop() ?? newName())
  t.teardown(async () => {
    const { db, client } = database
    if (await empty(db)) emptied.push(db.databaseName)
    else await db.dropDatabase()
    await client.close()
  })
  return database
}

/** @returns whether it then is as after a server's start; the profiler, for example, makes a collection */
async function empty(db: Db): Promise<boolean> {
  const found = await db.listCollections().toArray()
  const names = found.filter(({ type }) => type === 'collection').map(({ name }) => name)
  const expected = ['system.views', ...Object.keys(collections)]
  if (names.some((name) => !expected.includes(name))) return false
  await Promise.all(Object.keys(collections).map((name) => db.collection(name).deleteMany({})))
  return true
}

/** Of all servers of a test: they share what is encrypted with it. */
const totpKeys = `test:${randomBytes(32).toString('hex')}`

/** The configuration of a test's server: any free port, cheap hashes, a random key; `env` overrides it. */
export async function testConfig(
  connection: { uri: string; username: string; password: string },
  env: Environment = {},
) {
  return readConfig({
    NODE_ENV: 'test',
    PORT: '0',
    METRICS_PORT: '0',
    BCRYPT_COST: '4',
    DATA_DIR: process.env.TEST_DATA_DIR,
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
    TOTP_KEYS: totpKeys,
    // LOG_LEVEL does not apply to it: it would fill the output of tests that do not collect the log.
    SECURITY_LOG: 'off',
    ...env,
  })
}

/** A server on an empty database, listening on loopback; both end with the test. `lines` has its log. */
export async function testServer(t: Test, env: Environment = {}) {
  // npm run test:gateway
  if (process.env.TEST_GATEWAY) {
    const { connection, db } = await freshDatabase(t)
    const services = { connection, name: db.databaseName, env, configure: testConfig }
    return { db, connection, ...(await startBehindGateway(t, services)) }
  }
  const database = await emptyDatabase(t)
  const config = await testConfig(database.connection, { SECURITY_LOG: 'stdout', ...env })
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  const app = await buildApp(config, database.connection, log)
  await app.listen({ host: config.host, port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo // TCP always
  return { app, config, db: database.db, connection: database.connection, url: `http://127.0.0.1:${port}`, port, lines }
}

/** A client with a new cookie jar. It neither retries nor throws on an error status. */
export function makeClient(url: string): Got & { jar: CookieJar } {
  const jar = new CookieJar()
  const client = got.extend({
    prefixUrl: url,
    cookieJar: jar,
    throwHttpErrors: false,
    retry: { limit: 0 },
    responseType: 'json',
    timeout: { request: 120_000 },
  })
  return Object.assign(client, { jar })
}

/** Signs up a new account and returns its client, which is logged in. */
export async function signUp(url: string, username = `u${randomBytes(6).toString('hex')}`) {
  const client = makeClient(url)
  const response = await client.post('v1/accounts', { json: { username, password } })
  if (response.statusCode !== 201) throw new Error(`sign-up answered ${response.statusCode}`)
  return { client, username }
}

/** Repeats a request while contention on a busy machine uses up its time: a client repeats a 503 too. */
export async function retry503<Response extends { statusCode: number }>(
  send: () => PromiseLike<Response>,
): Promise<Response> {
  for (let attempts = 1; ; attempts += 1) {
    const response = await send()
    if (response.statusCode !== 503 || attempts === 20) return response
  }
}
