import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import got, { type Got } from 'got'
import { MongoClient } from 'mongodb'
import { pino } from 'pino'
import type { Test } from 'tap'
import { CookieJar } from 'tough-cookie'
import { buildApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import type { Environment } from '../src/environment.ts'
import { startBehindGateway } from './gateway-server.ts'

/** A password that the server accepts. */
export const password = 'three blind mice sing 7 songs'

/** The mongod of this test run, which test/run.ts starts. */
function testDatabase() {
  const { TEST_MONGODB_URI, TEST_DB_USER, TEST_DB_PASSWORD } = process.env
  if (!TEST_MONGODB_URI || !TEST_DB_USER || !TEST_DB_PASSWORD) {
    throw new Error('Tests need a database: run "npm test", or "npm run test:file -- test/one.test.ts".')
  }
  return { uri: TEST_MONGODB_URI, username: TEST_DB_USER, password: TEST_DB_PASSWORD }
}

/** A new database, dropped when the test ends. */
export async function freshDatabase(t: Test) {
  const { uri, username, password } = testDatabase()
  const name = `test_${randomBytes(6).toString('hex')}`
  const url = new URL(uri)
  url.pathname = `/${name}`
  // Connections of which most tests use few: a server opens 16 at its start.
  url.searchParams.set('minPoolSize', '0')
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin' })
  await client.connect()
  t.teardown(async () => {
    await client.db(name).dropDatabase()
    await client.close()
  })
  return { db: client.db(name), client, connection: { uri: url.href, username, password } }
}

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
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
    // LOG_LEVEL does not apply to it: it would fill the output of tests that do not collect the log.
    SECURITY_LOG: 'off',
    ...env,
  })
}

/** A server on a new database, listening on loopback; both end with the test. `lines` has its log. */
export async function testServer(t: Test, env: Environment = {}) {
  const database = await freshDatabase(t)
  // npm run test:gateway
  if (process.env.TEST_GATEWAY) {
    const { connection, db } = database
    const services = { connection, name: db.databaseName, env, configure: testConfig }
    return { db, connection, ...(await startBehindGateway(t, services)) }
  }
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
