import type { Db, UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { toUuid } from '../../src/database/ids.ts'
import { makeClient, signUp, testServer } from '../helper.ts'

type Page = { items: { id: string; username: string }[]; nextCursor: string | null }

/**
 * Seeds accounts that follow an account, or that it follows.
 * @returns their usernames in the order of the list
 */
async function seedFollows(db: Db, account: UUID, list: 'followers' | 'following', count: number) {
  const others = Array.from({ length: count }, (_, n) => ({ _id: toUuid(v7()), username: `p${list}${n}` }))
  const profiles = others.map((other) => ({ ...other, displayName: '', bio: '' }))
  await db.collection<{ _id: UUID }>('accounts').insertMany(profiles)
  const follows = others.map(({ _id: other }) => {
    const _id = list === 'followers' ? { from: other, to: account } : { from: account, to: other }
    return { _id, ..._id, order: toUuid(v7()) }
  })
  await db.collection<{ _id: object }>('follows').insertMany(follows)
  return others.map(({ username }) => username).toReversed()
}

t.test(
  'pages of followers and following have each account once, newest first, during concurrent follows',
  async (t) => {
    const { url, db } = await testServer(t)
    const { client, username } = await signUp(url, 'popular')
    const { id } = (await client.get<{ id: string }>('v1/account')).body
    const others = await Promise.all(Array.from({ length: 4 }, () => signUp(url)))
    for (const list of ['followers', 'following'] as const) {
      const seeded = await seedFollows(db, toUuid(id), list, 150)
      for (const limit of [7, 100]) {
        const seen: string[] = []
        let cursor: string | null = ''
        for (let n = 0; cursor !== null; n += 1) {
          const query: string = `limit=${limit}${cursor && `&cursor=${cursor}`}`
          const page: Page = (await makeClient(url).get<Page>(`v1/accounts/${username}/${list}?${query}`)).body
          t.ok(page.items.length <= limit)
          seen.push(...page.items.map((item) => item.username))
          cursor = page.nextCursor
          const other = others[n % 4]
          if (other && list === 'followers') await other.client.put(`v1/accounts/${username}/follow`)
          if (other && list === 'following') await client.put(`v1/accounts/${other.username}/follow`)
        }
        t.same(
          seen.filter((name) => name.startsWith('p')),
          seeded,
          `${list}, ${limit} at a time`,
        )
        t.equal(new Set(seen).size, seen.length, 'no account twice')
      }
    }
  },
)

t.test('a repeated follow keeps its position in the list, a new one after an unfollow comes first', async (t) => {
  const { url } = await testServer(t)
  const [ann, bob, cyd] = [await signUp(url, 'ann_3'), await signUp(url, 'bob_3'), await signUp(url, 'cyd_3')]
  const followers = async () =>
    (await makeClient(url).get<Page>('v1/accounts/ann_3/followers')).body.items.map(({ username }) => username)
  for (const { client } of [bob, cyd, bob]) await client.put('v1/accounts/ann_3/follow')
  t.same(await followers(), ['cyd_3', 'bob_3'])
  await bob.client.delete('v1/accounts/ann_3/follow')
  await bob.client.put('v1/accounts/ann_3/follow')
  t.same(await followers(), ['bob_3', 'cyd_3'])
  t.ok(ann)
})

t.test('a cursor is valid for its own list only, and lists with a viewer are cached privately', async (t) => {
  const { url } = await testServer(t)
  const users = [await signUp(url, 'ann_4'), await signUp(url, 'bob_4'), await signUp(url, 'cyd_4')]
  for (const { client } of users.slice(1)) await client.put('v1/accounts/ann_4/follow')
  const { body, headers } = await makeClient(url).get<Page>('v1/accounts/ann_4/followers?limit=1')
  t.match(headers, { 'cache-control': 'private, no-cache', vary: 'Cookie' })
  const at = (path: string) => makeClient(url).get(`v1/accounts/${path}?limit=1&cursor=${body.nextCursor}`)
  t.equal((await at('ANN_4/followers')).statusCode, 200)
  for (const other of ['ann_4/following', 'bob_4/followers', 'ann_4/posts']) {
    t.equal((await at(other)).statusCode, 400, other)
  }
})
