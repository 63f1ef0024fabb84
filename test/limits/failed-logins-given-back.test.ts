import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, password, testConfig, testServer } from '../helper.ts'
import { cookieOf, expectProblem } from '../http/wire.ts'
import { counted, statuses, tryOften, tryOnce } from './login-attempts.ts'

/** So slow that something can be done while it is made. */
const slowHash = { BCRYPT_COST: '13' }
/** About 5 s by the contract; the rest is for busy machines. */
const patience = 30_000

/** Direct: the replica set's own address would lead around the proxy. */
const uriOf = ({ port }: { port: number }, { databaseName }: Db) =>
  `mongodb://127.0.0.1:${port}/${databaseName}?directConnection=true`
const taken = (db: Db) => counted(db, 'failed-logins-by-account')
const until = (t: Test, condition: () => Promise<boolean>, what: string) => t.resolves(eventually(condition), what)

/** A database, and a server whose way to it is the given one. */
async function database(t: Test) {
  const { db, connection } = await freshDatabase(t)
  const serverBy = async (uri: string, env = {}) => {
    const own = { ...connection, uri }
    const app = await buildApp(await testConfig(own, env), own, pino({ level: 'silent' }))
    t.teardown(() => app.close())
    const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
    await cookieOf(port, 'Ann')
    // From now on nothing but failed logins is counted in the database: of changes there is a share left.
    await tryOnce(port, 'ann', { password })
    return port
  }
  return { db, serverBy, port: Number(new URL(connection.uri).port) }
}

t.test('the database goes away while a password is checked', { timeout: 120_000 }, async (t) => {
  const { db, serverBy, port: mongod } = await database(t)
  const line = await cuttableProxy(t, mongod)
  const port = await serverBy(line.uri(db.databaseName), slowHash)

  for (const [what, given] of Object.entries({ right: password, wrong: 'not the password' })) {
    t.test(`the ${what} one`, async (t) => {
      const answer = tryOnce(port, 'ann', { password: given })
      await until(t, async () => (await taken(db)) === 1, 'a place is taken before the hash is made')
      // The server hears of it, too.
      await delay(100)
      line.disconnect()
      const start = performance.now()
      expectProblem(t, await answer, 'database-unavailable')
      t.ok(performance.now() - start < patience, 'answered in time')
      t.equal(await taken(db), 1, 'nobody could give it back yet')
      line.reconnect()
      const all = () => counted(db, 'failed-logins-by-[a-z-]+')
      await until(t, async () => (await all()) === 0, 'all are given back as soon as the database is there again')
      t.equal((await tryOnce(port, 'ann', { password })).status, 200)
    })
  }
})

t.test('the answer that a place was taken is lost', { timeout: 120_000 }, async (t) => {
  const { db, serverBy, port: mongod } = await database(t)
  const proxy = await cuttableProxy(t, mongod)
  const port = await serverBy(uriOf(proxy, db))

  t.test('once: it is taken once', async (t) => {
    proxy.cut({ command: 'findAndModify', when: 'answered', times: 1 })
    t.equal((await tryOnce(port, 'ann')).status, 401)
    t.equal(proxy.cuts(), 1)
    for (const by of ['account', 'address', 'account-and-address'])
      t.equal(await counted(db, `failed-logins-by-${by}`), 1, by)
  })

  t.test('and the way back is cut for a while: 503, and it is given back all the same', async (t) => {
    const before = await taken(db)
    // The driver asks twice: all three places are taken, and none of the answers comes.
    proxy.cut({ command: 'findAndModify', when: 'answered', times: 6 })
    proxy.cut({ command: 'update', when: 'before', times: 8 })
    expectProblem(t, await tryOnce(port, 'ann'), 'database-unavailable')
    const all = () => counted(db, 'failed-logins-by-[a-z-]+')
    await until(t, async () => (await all()) === 3 * before, 'those of before are left')
  })
})

t.test('the database hangs when a place is to be taken: 503 in time', { timeout: 120_000 }, async (t) => {
  const { db, serverBy, port: mongod } = await database(t)
  const proxy = await cuttableProxy(t, mongod)
  const port = await serverBy(uriOf(proxy, db))
  proxy.cut({ command: 'findAndModify', when: 'never', times: 3 })
  const start = performance.now()
  expectProblem(t, await tryOnce(port, 'ann'), 'database-unavailable')
  const took = performance.now() - start
  t.ok(took < patience, `answered after ${Math.round(took)} ms`)
})

t.test('those for whom there was no room are not counted', { timeout: 120_000 }, async (t) => {
  const { port, db } = await testServer(t, {
    BCRYPT_COST: '8',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '1000',
    LIMIT_FAILED_LOGINS_PER_ADDRESS: '1000',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT: '1000',
  })
  const { 401: failed = 0, 503: refused = 0, ...others } = statuses(await tryOften(port, 'ann', 100))
  t.ok(refused > 0, `${refused} were refused`)
  t.same(others, {})
  t.equal(await taken(db), failed)
})
