import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'

type View = { id: string; author: { displayName: string }; viewer: { reaction: string | null } | null }
type Page = { items: View[]; nextCursor: string | null }

t.test('requests for one page at the same time: each reader sees its own reactions, and only those', async (t) => {
  const { url } = await testServer(t)
  const [visitor, ann, bob] = [makeClient(url), await signUp(url), await signUp(url)]
  const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Read me' } })).body
  await ann.client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  await bob.client.put(`v1/posts/${id}/reaction`, { json: { value: 'dislike' } })
  const readers = [visitor, ann.client, visitor, bob.client, visitor, visitor, ann.client]
  const seen = await Promise.all(
    readers.map(async (client) => {
      const { statusCode, body } = await client.get<Page>(`v1/accounts/${ann.username}/posts`)
      return statusCode === 200 ? body.items.map(({ viewer }) => viewer) : statusCode
    }),
  )
  const [noOne, likes, dislikes] = [[null], [{ reaction: 'like' }], [{ reaction: 'dislike' }]]
  t.same(seen, [noOne, likes, noOne, dislikes, noOne, noOne, likes])
})

t.test('a page read again shows what has changed since: a name, a deleted post, a deleted author', async (t) => {
  const { url } = await testServer(t)
  const [visitor, ann, bob] = [makeClient(url), await signUp(url), await signUp(url)]
  const create = async (client: typeof visitor, text: string) =>
    (await client.post<{ id: string }>('v1/posts', { json: { text } })).body.id
  const first = await create(ann.client, 'First')
  const second = await create(bob.client, 'Second')
  const read = async () => {
    const { items } = (await visitor.get<Page>('v1/posts')).body
    return items.map(({ id, author }) => `${id} ${author.displayName}`)
  }
  await ann.client.patch('v1/account', { json: { displayName: 'Ann' } })
  await bob.client.patch('v1/account', { json: { displayName: 'Bob' } })
  t.same(await read(), [`${second} Bob`, `${first} Ann`])

  await ann.client.patch('v1/account', { json: { displayName: 'Anna' } })
  const third = await create(ann.client, 'Third')
  t.same(await read(), [`${third} Anna`, `${second} Bob`, `${first} Anna`])

  await ann.client.delete(`v1/posts/${first}`)
  await bob.client.post('v1/session/confirm', { json: { password: password } })
  t.equal((await bob.client.delete('v1/account')).statusCode, 204)
  t.same(await read(), [`${third} Anna`])
})

t.test('a list of an account that does not exist is 404 for all who ask at the same time', async (t) => {
  const { url } = await testServer(t)
  const answers = await Promise.all([1, 2, 3].map(() => makeClient(url).get('v1/accounts/unknown_one/posts')))
  t.same(
    answers.map(({ statusCode }) => statusCode),
    [404, 404, 404],
  )
})
