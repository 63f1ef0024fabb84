import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, password, testConfig, testServer } from '../helper.ts'
import { cookieOf, expectProblem } from '../http/wire.ts'
import { attemptLogin, attemptLogins, countAttempts, countStatuses } from './login-attempts.ts'

/** Slow enough to act while a password is checked. */
const slowHash = { BCRYPT_COST: '13' }
/** The deadline is about 5 s; the rest is for busy machines. */
const answeredWithinMs = 30_000

const consumed = (db: Db) => countAttempts(db, 'failed-logins-by-account')
const until = (t: Test, condition: () => Promise<boolean>, name: string) => t.resolves(eventually(condition), name)

/** A database, and a way to start servers that reach it at another URI. */
async function databaseFor(t: Test) {
  const { db, connection } = await freshDatabase(t)
  const startServer = async (uri: string, env = {}) => {
    const own = { ...connection, uri }
    const app = await buildApp(await testConfig(own, env), own, pino({ level: 'silent' }))
    t.teardown(() => app.close())
    const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
    await cookieOf(port, 'Ann')
    // Reserves a share of the account's writes, so that from now on only failed logins are counted in the database.
    await attemptLogin(port, 'ann', { password })
    return port
  }
  return { db, startServer, port: Number(new URL(connection.uri).port) }
}

t.test(
  'if the database disconnects while a password is checked, the answer is 503 and the attempt is released later',
  { timeout: 120_000 },
  async (t) => {
    const { db, startServer, port: mongod } = await databaseFor(t)
    const proxy = await cuttableProxy(t, mongod)
    const port = await startServer(proxy.uri(db.databaseName), slowHash)

    for (const [kind, given] of Object.entries({ right: password, wrong: 'not the password' })) {
      t.test(`with the ${kind} password`, async (t) => {
        const answer = attemptLogin(port, 'ann', { password: given })
        await until(t, async () => (await consumed(db)) === 1, 'the attempt is consumed before the password is checked')
        // The server gets the reply, too.
        await delay(100)
        proxy.disconnect()
        const start = performance.now()
        expectProblem(t, await answer, 'database-unavailable')
        t.ok(performance.now() - start < answeredWithinMs, 'answered in time')
        t.equal(await consumed(db), 1, 'it cannot be released yet')
        proxy.reconnect()
        const all = () => countAttempts(db, 'failed-logins-by-[a-z-]+')
        await until(t, async () => (await all()) === 0, 'all are released once the database is reachable')
        t.equal((await attemptLogin(port, 'ann', { password })).status, 200)
      })
    }
  },
)

t.test('a lost reply to consuming an attempt', { timeout: 120_000 }, async (t) => {
  const { db, startServer, port: mongod } = await databaseFor(t)
  const proxy = await cuttableProxy(t, mongod)
  const port = await startServer(proxy.uri(db.databaseName))

  t.test('the driver’s retry consumes the attempt once', async (t) => {
    proxy.cut({ command: 'update', collection: 'attempts', when: 'answered', times: 1 })
    t.equal((await attemptLogin(port, 'ann')).status, 401)
    t.equal(proxy.cuts(), 1)
    for (const by of ['account', 'address', 'account-and-address'])
      t.equal(await countAttempts(db, `failed-logins-by-${by}`), 1, by)
  })

  t.test('two lost replies and failing releases: 503, and the attempts are released in the end', async (t) => {
    const before = await consumed(db)
    // The driver tries twice: all six attempts are consumed, and no reply arrives.
    proxy.cut({ command: 'update', collection: 'attempts', when: 'answered', times: 2 })
    proxy.cut({ command: 'update', collection: 'attempts', when: 'before', times: 8 })
    expectProblem(t, await attemptLogin(port, 'ann'), 'database-unavailable')
    const all = () => countAttempts(db, 'failed-logins-[a-z-]+')
    await until(t, async () => (await all()) === 6 * before, 'only earlier attempts still count')
  })
})

t.test(
  'a database that hangs while an attempt is consumed: 503 within the deadline',
  { timeout: 120_000 },
  async (t) => {
    const { db, startServer, port: mongod } = await databaseFor(t)
    const proxy = await cuttableProxy(t, mongod)
    const port = await startServer(proxy.uri(db.databaseName))
    proxy.cut({ command: 'update', collection: 'attempts', when: 'never', times: 1 })
    const start = performance.now()
    expectProblem(t, await attemptLogin(port, 'ann'), 'database-unavailable')
    const tookMs = performance.now() - start
    t.ok(tookMs < answeredWithinMs, `answered after ${Math.round(tookMs)} ms`)
  },
)

t.test('logins that the full hashing queue refuses with 503 are not counted', { timeout: 120_000 }, async (t) => {
  const { port, db } = await testServer(t, {
    // 100 such hashes take longer than the 15 s that a request waits.
    BCRYPT_COST: '13',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '1000',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_NETWORK: '1000',
    LIMIT_FAILED_LOGINS_PER_ADDRESS: '1000',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT: '1000',
  })
  const { 401: failed = 0, 503: refused = 0, ...others } = countStatuses(await attemptLogins(port, 'ann', 100))
  t.ok(refused > 0, `${refused} were refused`)
  t.same(others, {})
  t.equal(await consumed(db), failed)
})
