import t from 'tap'
import { makeClient, retry503, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'

type Account = {
  username: string
  counts: { followers: number; following: number }
  viewer: { following: boolean } | null
}
type Page = { items: Account[]; nextCursor: string | null }
type Client = ReturnType<typeof makeClient>

const follow = async (client: Client, name: string) => (await client.put(`v1/accounts/${name}/follow`)).statusCode
const unfollow = async (client: Client, name: string) => (await client.delete(`v1/accounts/${name}/follow`)).statusCode
const read = async (client: Client, name: string) => (await client.get<Account>(`v1/accounts/${name}`)).body
const namesIn = async (client: Client, path: string) =>
  (await client.get<Page>(path)).body.items.map(({ username }) => username)

t.test('following and unfollowing are idempotent and show in counts, lists and viewer', async (t) => {
  const { url } = await testServer(t)
  const [ann, bob] = [await signUp(url, 'Ann_1'), await signUp(url, 'bob_1')]
  for (const _ of [1, 2]) t.equal(await follow(ann.client, 'BOB_1'), 204, 'repeated, in any case of the username')
  t.match(await read(ann.client, 'bob_1'), { counts: { followers: 1, following: 0 }, viewer: { following: true } })
  t.match(await read(bob.client, 'ann_1'), { counts: { followers: 0, following: 1 }, viewer: { following: false } })
  t.match(await read(makeClient(url), 'bob_1'), { viewer: null })
  t.same(await namesIn(makeClient(url), 'v1/accounts/bob_1/followers'), ['Ann_1'])
  t.same(await namesIn(makeClient(url), 'v1/accounts/ann_1/following'), ['bob_1'])
  const { body } = await ann.client.get<Page>('v1/accounts/ann_1/following')
  t.match(body.items, [{ username: 'bob_1', viewer: { following: true } }], 'lists show it as well')
  for (const _ of [1, 2]) t.equal(await unfollow(ann.client, 'bob_1'), 204)
  t.match(await read(ann.client, 'bob_1'), { counts: { followers: 0 }, viewer: { following: false } })
  t.same(await namesIn(bob.client, 'v1/accounts/bob_1/followers'), [])
})

t.test('following oneself gets 400, an unknown account 404, and without a session 401', async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url, 'Ann_2')
  for (const name of ['Ann_2', 'ANN_2']) {
    const { statusCode, body } = await client.put(`v1/accounts/${name}/follow`)
    t.match({ statusCode, body }, { statusCode: 400, body: { errors: [{ pointer: '/path/username' }] } })
    t.equal(await unfollow(client, name), 204, 'unfollowing oneself changes nothing')
  }
  for (const name of ['unknown', 'x', 'a%20b']) {
    t.equal(await follow(client, name), 404, name)
    t.equal(await unfollow(client, name), 404, name)
    for (const list of ['followers', 'following'])
      t.equal((await client.get(`v1/accounts/${name}/${list}`)).statusCode, 404)
  }
  t.equal(await follow(makeClient(url), 'ann_2'), 401)
  t.equal(await unfollow(makeClient(url), 'ann_2'), 401)
  const cross = { headers: { origin: 'https://evil.example' } }
  t.equal((await client.put('v1/accounts/unknown/follow', cross)).statusCode, 403)
  t.match(await read(client, 'ann_2'), { counts: { followers: 0, following: 0 } })
})

t.test('after concurrent follows and unfollows on two servers counts, lists and documents agree', async (t) => {
  const { urls, db } = await twoServers(t)
  const users = await Promise.all(Array.from({ length: 8 }, (_, n) => signUp(urls[n % 2 ? 1 : 0])))
  const followOthers = async ({ client, username }: (typeof users)[number]) => {
    for (let n = 0; n < 30; n += 1) {
      // Most of them contend for the first.
      const other = users[Math.floor(Math.random() ** 2 * users.length)]
      if (!other || other.username === username) continue
      const path = `v1/accounts/${other.username}/follow`
      const follows = Math.random() < 0.6
      const { statusCode } = await retry503(() => (follows ? client.put(path) : client.delete(path)))
      t.equal(statusCode, 204)
    }
  }
  await Promise.all(users.flatMap((user) => [followOthers(user), followOthers(user)]))
  let all = 0
  for (const { username } of users) {
    const visitor = makeClient(urls[1])
    const { counts } = await read(visitor, username)
    t.equal((await namesIn(visitor, `v1/accounts/${username}/followers`)).length, counts.followers)
    t.equal((await namesIn(visitor, `v1/accounts/${username}/following`)).length, counts.following)
    all += counts.followers
  }
  t.equal(await db.collection('follows').countDocuments(), all)
  t.ok(all > 0)
})
