import t from 'tap'
import { signUp } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'

type Named = { username: string; displayName: string }
type Item = Partial<Named> & { author?: Named; account?: Named; post?: { author: Named } }

t.test('a new displayName shows in every list and view at once, on every server', async (t) => {
  const { urls } = await twoServers(t)
  const [ann, bob] = [await signUp(urls[0], 'ann'), await signUp(urls[1], 'bob')]
  const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: '.' } })).body
  await ann.client.post('v1/posts', { json: { text: '.', replyTo: id } })
  for (const { client } of [ann, bob]) await client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  await ann.client.put('v1/accounts/bob/follow')
  await bob.client.put('v1/accounts/ann/follow')
  const lists = [
    'posts',
    'timeline',
    'account/reactions',
    'accounts/ann/posts',
    'accounts/bob/followers',
    'accounts/bob/following',
    `posts/${id}/replies`,
    `posts/${id}/reactions`,
  ]
  for (const displayName of ['Ann Ösk', 'Ann the second']) {
    t.equal((await ann.client.patch('v1/account', { json: { displayName } })).statusCode, 200)
    for (const path of lists) {
      const { items } = (await bob.client.get<{ items: Item[] }>(`v1/${path}`)).body
      const named = items.map((item) => item.author ?? item.account ?? item.post?.author ?? item)
      const shown = named.filter(({ username }) => username === 'ann')
      t.ok(shown.length > 0, path)
      for (const one of shown) t.equal(one.displayName, displayName, path)
    }
    t.match((await bob.client.get(`v1/posts/${id}`)).body, { author: { displayName } })
    t.match((await bob.client.get('v1/accounts/ann')).body, { displayName })
    t.match((await ann.client.get('v1/session')).body, { account: { displayName } })
  }
})
