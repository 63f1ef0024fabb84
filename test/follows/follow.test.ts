import t from 'tap'
import { makeClient, signUp, testServer } from '../helper.ts'
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

t.test('following, and following no longer', async (t) => {
  const { url } = await testServer(t)
  const [ann, bob] = [await signUp(url, 'Ann_1'), await signUp(url, 'bob_1')]
  for (const _ of [1, 2]) t.equal(await follow(ann.client, 'BOB_1'), 204, 'once or twice, in any case')
  t.match(await read(ann.client, 'bob_1'), { counts: { followers: 1, following: 0 }, viewer: { following: true } })
  t.match(await read(bob.client, 'ann_1'), { counts: { followers: 0, following: 1 }, viewer: { following: false } })
  t.match(await read(makeClient(url), 'bob_1'), { viewer: null })
  t.same(await namesIn(makeClient(url), 'v1/accounts/bob_1/followers'), ['Ann_1'])
  t.same(await namesIn(makeClient(url), 'v1/accounts/ann_1/following'), ['bob_1'])
  const { body } = await ann.client.get<Page>('v1/accounts/ann_1/following')
  t.match(body.items, [{ username: 'bob_1', viewer: { following: true } }], 'lists show it, too')
  for (const _ of [1, 2]) t.equal(await unfollow(ann.client, 'bob_1'), 204)
  t.match(await read(ann.client, 'bob_1'), { counts: { followers: 0 }, viewer: { following: false } })
  t.same(await namesIn(bob.client, 'v1/accounts/bob_1/followers'), [])
})

t.test('oneself, nobody, and nobody who is logged in', async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url, 'Ann_2')
  for (const name of ['Ann_2', 'ANN_2']) {
    const { statusCode, body } = await client.put(`v1/accounts/${name}/follow`)
    t.match({ statusCode, body }, { statusCode: 400, body: { errors: [{ pointer: '/path/username' }] } })
    t.equal(await unfollow(client, name), 204, 'one never does')
  }
  for (const name of ['nobody', 'x', 'a%20b']) {
    t.equal(await follow(client, name), 404, name)
    t.equal(await unfollow(client, name), 404, name)
    for (const list of ['followers', 'following'])
      t.equal((await client.get(`v1/accounts/${name}/${list}`)).statusCode, 404)
  }
  t.equal(await follow(makeClient(url), 'ann_2'), 401)
  t.equal(await unfollow(makeClient(url), 'ann_2'), 401)
  const cross = { headers: { origin: 'https://evil.example' } }
  t.equal((await client.put('v1/accounts/nobody/follow', cross)).statusCode, 403)
  t.match(await read(client, 'ann_2'), { counts: { followers: 0, following: 0 } })
})

t.test('counts, lists and what is stored agree after many have followed at once, on two servers', async (t) => {
  const { urls, db } = await twoServers(t)
  const people = await Promise.all(Array.from({ length: 8 }, (_, n) => signUp(urls[n % 2 ? 1 : 0])))
  const live = async ({ client, username }: (typeof people)[number]) => {
    for (let n = 0; n < 30; n += 1) {
      // Most of them meet at the first.
      const other = people[Math.floor(Math.random() ** 2 * people.length)]
      if (!other || other.username === username) continue
      const done = Math.random() < 0.6 ? follow : unfollow
      t.equal(await done(client, other.username), 204)
    }
  }
  await Promise.all(people.flatMap((person) => [live(person), live(person)]))
  let all = 0
  for (const { username } of people) {
    const anyone = makeClient(urls[1])
    const { counts } = await read(anyone, username)
    t.equal((await namesIn(anyone, `v1/accounts/${username}/followers`)).length, counts.followers)
    t.equal((await namesIn(anyone, `v1/accounts/${username}/following`)).length, counts.following)
    all += counts.followers
  }
  t.equal(await db.collection('follows').countDocuments(), all)
  t.ok(all > 0)
})
