import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { password } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import { pidsOf, startCluster } from '../processes/cluster.ts'
import { twoServers } from '../sessions/servers.ts'
import { counted, statuses, tryOnce } from './login-attempts.ts'

const portOf = (url: string) => Number(new URL(url).port)

/** So many at once, handed round the servers. */
const atOnce = <T>(ports: readonly number[], times: number, one: (port: number, n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: times }, (_, n) => one(ports[n % ports.length] ?? 0, n)))

/** What counts under the limits of the pair, the address and the account; what was given back counts nowhere. */
async function expectCounted(t: Test, db: Db, pair: number, address = pair, account = pair) {
  const names = ['account-and-address', 'address', 'account']
  const found = await Promise.all(names.map((name) => counted(db, `failed-logins-by-${name}`)))
  t.same(found, [pair, address, account], 'each place that came to nothing was given back')
}

t.test('two servers count as one', { timeout: 120_000 }, async (t) => {
  const { urls, db } = await twoServers(t)
  const ports = urls.map(portOf)
  const [port = 0] = ports
  await cookieOf(port, 'Ann')

  t.test('of sixty at once on one account ten are looked at', async (t) => {
    for (const name of ['ann', 'nobody']) {
      const answers = await atOnce(ports, 60, (port) => tryOnce(port, name))
      t.same(statuses(answers), { 401: 10, 429: 50 }, name)
    }
    await expectCounted(t, db, 20)
  })

  t.test('of sixty at once from one address, each with another name, as many as are left of fifty', async (t) => {
    const answers = await atOnce(ports, 60, (port, n) => tryOnce(port, `name${n}`))
    t.same(statuses(answers), { 401: 30, 429: 30 })
    await expectCounted(t, db, 50)
  })

  t.test('right ones at once count as nothing and hold nobody up', async (t) => {
    await db.collection('attempts').deleteMany({})
    const answers = await atOnce(ports, 16, (port) => tryOnce(port, 'ann', { password }))
    t.same(statuses(answers), { 200: 16 })
    await expectCounted(t, db, 0)
    t.equal(await db.collection('sessions').countDocuments(), 17)
  })

  t.test('right and wrong ones at once: what was refused or right is counted nowhere', async (t) => {
    const right = (n: number) => n % 4 === 0
    const answers = await atOnce(ports, 48, (port, n) =>
      tryOnce(port, n % 2 ? 'ann' : 'ANN', right(n) ? { password } : {}),
    )
    const of = (is: boolean) => statuses(answers.filter((_, n) => right(n) === is))
    const { 200: begun = 0, 429: refused = 0, ...othersOfRight } = of(true)
    const { 401: failed = 0, 429: limited = 0, ...othersOfWrong } = of(false)
    t.comment(`right: ${begun} and ${refused} refused; wrong: ${failed} and ${limited} refused`)
    t.same({ ...othersOfRight, ...othersOfWrong }, {})
    t.ok(failed <= 10 * (begun + 1), `${failed} were looked at: ten after each success`)
    const pair = await counted(db, 'failed-logins-by-account-and-address')
    t.ok(pair <= Math.min(failed, 10))
    await expectCounted(t, db, pair, failed, failed)
  })
})

t.test('so do the processes of a cluster', { timeout: 120_000 }, async (t) => {
  const { url, server, db } = await startCluster(t, 3)
  t.equal((await pidsOf(server, 'api')).length, 3)
  const ports = [portOf(url)]
  await cookieOf(portOf(url), 'Ann')
  // Each on a connection of its own: the primary hands them round.
  t.same(statuses(await atOnce(ports, 60, (port) => tryOnce(port, 'ann'))), { 401: 10, 429: 50 })
  t.same(statuses(await atOnce(ports, 60, (port, n) => tryOnce(port, `name${n}`))), { 401: 40, 429: 20 })
  await expectCounted(t, db, 50)
})
