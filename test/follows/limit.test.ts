import t from 'tap'
import { type makeClient, retry503, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'

type Client = ReturnType<typeof makeClient>

const follow = (client: Client, name: string) => retry503(() => client.put(`v1/accounts/${name}/follow`))
const unfollow = (client: Client, name: string) => retry503(() => client.delete(`v1/accounts/${name}/follow`))
const followed = async (client: Client) =>
  (await client.get<{ counts: { following: number } }>('v1/account')).body.counts.following

t.test(
  'an account that follows LIMIT_FOLLOWS accounts can repeat a follow and unfollow, not follow another',
  async (t) => {
    const { url } = await testServer(t, { LIMIT_FOLLOWS: '2' })
    const { client } = await signUp(url)
    const names = await Promise.all([1, 2, 3].map(async () => (await signUp(url)).username))
    const [first = '', second = '', third = ''] = names
    t.equal((await follow(client, first)).statusCode, 204)
    t.equal((await follow(client, second)).statusCode, 204)
    const { statusCode, body } = await follow(client, third)
    const detail = 'You cannot follow more than 2 accounts: unfollow one first.'
    t.match({ statusCode, body }, { statusCode: 400, body: { code: 'validation', errors: [{ detail }] } })
    t.match(body, { errors: [{ pointer: '/path/username' }] })
    t.equal((await follow(client, first)).statusCode, 204, 'a follow that exists')
    t.equal((await unfollow(client, third)).statusCode, 204, 'a follow that does not')
    t.equal((await unfollow(client, first)).statusCode, 204)
    t.equal((await follow(client, third)).statusCode, 204, 'after an unfollow there is room')
    t.equal(await followed(client), 2)
  },
)

t.test('30 concurrent follows on two servers with room for 5: 5 are made', async (t) => {
  const { urls } = await twoServers(t, { LIMIT_FOLLOWS: '7' })
  const { client, username } = await signUp(urls[0])
  const names = await Promise.all(Array.from({ length: 32 }, async () => (await signUp(urls[1])).username))
  for (const name of names.slice(0, 2)) await follow(client, name)
  const cookie = await client.jar.getCookieString(urls[0])
  const elsewhere = client.extend({ prefixUrl: urls[1], headers: { cookie }, cookieJar: undefined })
  const statuses = await Promise.all(
    names.slice(2).map(async (name, n) => {
      const sent = () => (n % 2 ? client : elsewhere).put(`v1/accounts/${name}/follow`)
      return (await retry503(sent)).statusCode
    }),
  )
  t.equal(statuses.filter((status) => status === 204).length, 5)
  t.equal(statuses.filter((status) => status === 400).length, 25)
  t.equal(await followed(client), 7)
  const { body } = await client.get<{ items: unknown[] }>(`v1/accounts/${username}/following`)
  t.equal(body.items.length, 7)
})
