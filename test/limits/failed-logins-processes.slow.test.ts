import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { password } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import { pidsOf, startCluster } from '../processes/cluster.ts'
import { twoServers } from '../sessions/servers.ts'
import { attemptLogin, countAttempts, countStatuses, forgetRefusals } from './login-attempts.ts'

const portOf = (url: string) => Number(new URL(url).port)

/** Concurrent requests, distributed over the servers. */
const concurrently = <T>(ports: readonly number[], times: number, request: (port: number, n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: times }, (_, n) => request(ports[n % ports.length] ?? 0, n)))

/** Expects the counts by account and address, by address, and by account. */
async function expectCounted(t: Test, db: Db, pair: number, address = pair, account = pair) {
  const names = ['account-and-address', 'address', 'account']
  const found = await Promise.all(names.map((name) => countAttempts(db, `failed-logins-by-${name}`)))
  t.same(found, [pair, address, account], 'every refused attempt was released')
}

t.test('two servers share the counts of failed logins', { timeout: 120_000 }, async (t) => {
  const { urls, db } = await twoServers(t)
  const ports = urls.map(portOf)
  const [port = 0] = ports
  await cookieOf(port, 'Ann')

  t.test('60 concurrent attempts on one account: 10 are checked, 50 get 429', async (t) => {
    for (const name of ['ann', 'no_account']) {
      const answers = await concurrently(ports, 60, (port) => attemptLogin(port, name))
      t.same(countStatuses(answers), { 401: 10, 429: 50 }, name)
    }
    await expectCounted(t, db, 20)
  })

  t.test(
    '60 concurrent attempts from one address with 60 usernames: the 30 left of 50 are checked, 30 get 429',
    async (t) => {
      const answers = await concurrently(ports, 60, (port, n) => attemptLogin(port, `name${n}`))
      t.same(countStatuses(answers), { 401: 30, 429: 30 })
      await expectCounted(t, db, 50)
    },
  )

  t.test('16 concurrent successful logins all get 200 and count nowhere', async (t) => {
    await db.collection('attempts').deleteMany({})
    await forgetRefusals()
    const answers = await concurrently(ports, 16, (port) => attemptLogin(port, 'ann', { password }))
    t.same(countStatuses(answers), { 200: 16 })
    await expectCounted(t, db, 0)
    t.equal(await db.collection('sessions').countDocuments(), 17)
  })

  t.test('concurrent right and wrong passwords: only the wrong ones that were checked count', async (t) => {
    const right = (n: number) => n % 4 === 0
    const answers = await concurrently(ports, 48, (port, n) =>
      attemptLogin(port, n % 2 ? 'ann' : 'ANN', right(n) ? { password } : {}),
    )
    const of = (is: boolean) => countStatuses(answers.filter((_, n) => right(n) === is))
    const { 200: succeeded = 0, 429: refused = 0, ...othersOfRight } = of(true)
    const { 401: failed = 0, 429: limited = 0, ...othersOfWrong } = of(false)
    t.comment(`right: ${succeeded} and ${refused} refused; wrong: ${failed} and ${limited} refused`)
    t.same({ ...othersOfRight, ...othersOfWrong }, {})
    t.ok(failed <= 10 * (succeeded + 1), `${failed} were checked: at most ten after each success`)
    const pair = await countAttempts(db, 'failed-logins-by-account-and-address')
    t.ok(pair <= Math.min(failed, 10))
    await expectCounted(t, db, pair, failed, failed)
  })
})

t.test('the processes of a cluster share the counts of failed logins', { timeout: 120_000 }, async (t) => {
  const { url, server, db } = await startCluster(t, 3)
  t.equal((await pidsOf(server, 'api')).length, 3)
  const ports = [portOf(url)]
  await cookieOf(portOf(url), 'Ann')
  // Each on its own connection, so that the primary distributes them.
  t.same(countStatuses(await concurrently(ports, 60, (port) => attemptLogin(port, 'ann'))), { 401: 10, 429: 50 })
  t.same(countStatuses(await concurrently(ports, 60, (port, n) => attemptLogin(port, `name${n}`))), {
    401: 40,
    429: 20,
  })
  await expectCounted(t, db, 50)
})
