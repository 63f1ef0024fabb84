import { join } from 'node:path'
import t from 'tap'
import { exchange } from '../../bench/load/exchange.ts'
import { startLoad } from '../../bench/load/load.ts'
import { PeerUnavailable } from '../../bench/peers/install.ts'
import { signUp } from '../../bench/scenarios/accounts.ts'
import { startServer } from '../../bench/servers/start.ts'
import { type Side, sides } from '../../bench/sides.ts'
import { openStored } from '../../bench/stored/open.ts'
import { freshDatabase } from '../helper.ts'

const compared: readonly Side[] = ['flask', 'express', 'pocketbase', 'one-transaction', 'rookery']
const options = { bcryptCost: 4, processes: 1, profileDir: undefined }

for (const side of compared) {
  t.test(`${sides[side].title} signs up, posts, reacts and lists, and its database shows it`, async (t) => {
    const { connection } = await freshDatabase(t)
    const dataDir = join(t.testdir(), side)
    const server = await startServer(side, connection, options, dataDir).catch((error) => {
      if (error instanceof PeerUnavailable) return error.message
      throw error
    })
    if (typeof server === 'string') return void t.pass(sides[side].title, { skip: server })
    t.teardown(server.stop)
    const { port } = server
    const { api } = sides[side]
    const ask = async (request: string) => JSON.stringify((await exchange(port, request)).body)

    const [account, other] = await signUp(side, port, 2)
    if (!account || !other) return void t.fail('no account')
    t.match(await ask(api.whoAmI(account)), account.id)
    await t.rejects(exchange(port, api.whoAmI(undefined)), /401/)
    await exchange(port, api.logIn(account.username))
    await t.rejects(exchange(port, api.logIn(account.username).replace('three', 'seven')), /40[01]/)

    const ids: string[] = []
    for (let n = 0; n < 21; n += 1) {
      const { body } = await exchange(port, api.createPost(account, `é ${n}`))
      ids.push((body as { id: string }).id) // As every API here answers.
    }
    const [first = '', second = ''] = ids
    t.match(await ask(api.readPost(first)), 'é 0')
    t.match(await ask(api.readPost(first, account)), account.username)
    const page = await ask(api.newestPosts())
    t.match(page, 'é 20')
    t.notMatch(page, 'é 0"', 'the twenty-first')
    t.match(page, account.username)

    for (const value of ['like', 'dislike', 'dislike']) await exchange(port, api.react(account, first, value))
    t.match(await ask(api.react(other, first, 'like')), /"likes":1/)
    await exchange(port, api.react(other, second, 'like'))
    await t.rejects(exchange(port, api.react(undefined, first, 'like')), /401/)

    const stored = await openStored(side, connection, dataDir)
    t.teardown(stored.close)
    t.equal(await stored.countPosts(), 21)
    t.same(
      (await stored.reactions()).map(({ post, account, value }) => [post, account, value].join(' ')).sort(),
      [`${first} ${account.id} dislike`, `${first} ${other.id} like`, `${second} ${other.id} like`].sort(),
    )
    const counts = (await stored.counts()).filter(({ likes, dislikes }) => likes + dislikes > 0)
    t.same(
      new Set(counts.map(({ post, likes, dislikes }) => `${post} ${likes} ${dislikes}`)),
      new Set([`${first} 1 1`, `${second} 1 0`]),
    )
    if (process.platform === 'linux') t.ok((await server.cpuUs()) > 0)
  })
}

t.test('a fixed rate sends every request, and counts its latency from when it was due', async (t) => {
  const { connection } = await freshDatabase(t)
  const server = await startServer('constant', connection, options)
  t.teardown(server.stop)
  const load = startLoad()
  t.teardown(load.stop)
  const request = sides.constant.api.whoAmI(undefined)
  const plans = [{ templates: [request], start: 0 }]
  const job = { port: server.port, durationMs: 500, plans, values: [], done: [0] }
  const { done, latenciesMs, refused } = await load.request({ ...job, perSecond: 100 })
  t.same(done, [50])
  t.equal(latenciesMs.length, 50)
  t.same(refused, [])
})
