import t from 'tap'
import { makeClient, signUp, testServer } from '../helper.ts'

type Given = { post: { id: string; text: string; viewer: { reaction: string } }; value: string; reactedAt: string }
type Page = { items: Given[]; nextCursor: string | null }

t.test('an account’s own reactions: by their first time, filtered, paged, with posts as they are now', async (t) => {
  const { url } = await testServer(t)
  const [ann, bob] = [await signUp(url), await signUp(url)]
  const ids: string[] = []
  for (const n of [0, 1, 2, 3, 4]) {
    ids.push((await bob.client.post<{ id: string }>('v1/posts', { json: { text: `${n}` } })).body.id)
  }
  const react = (n: number, value: string, { client } = ann) =>
    client.put(`v1/posts/${ids[n]}/reaction`, { json: { value } })
  const given = async (query = '') => (await ann.client.get<Page>(`v1/account/reactions${query}`)).body
  const shown = async (query = '') => (await given(query)).items.map(({ post, value }) => [post.text, value])

  t.same(await given(), { items: [], nextCursor: null })
  for (const [n, value] of [
    [2, 'like'],
    [0, 'dislike'],
    [4, 'like'],
    [1, 'like'],
  ] as const)
    await react(n, value)
  await react(3, 'like', bob)
  const before = await given()
  t.same(
    await shown(),
    [
      ['1', 'like'],
      ['4', 'like'],
      ['0', 'dislike'],
      ['2', 'like'],
    ],
    'newest first',
  )
  t.ok(before.items.every(({ post, value }) => post.viewer.reaction === value))

  await react(2, 'dislike')
  t.same((await shown()).at(-1), ['2', 'dislike'], 'a changed reaction keeps its position')
  t.equal((await given()).items.at(-1)?.reactedAt, before.items.at(-1)?.reactedAt)
  t.same(await shown('?value=like'), [
    ['1', 'like'],
    ['4', 'like'],
  ])
  t.same(await shown('?value=dislike'), [
    ['0', 'dislike'],
    ['2', 'dislike'],
  ])

  const first = await given('?limit=3')
  await react(3, 'like')
  await ann.client.delete(`v1/posts/${ids[4]}/reaction`)
  t.same(
    await shown(`?limit=3&cursor=${first.nextCursor}`),
    [['2', 'dislike']],
    'later reactions do not change the next page',
  )
  for (const query of ['?value=like', '?value=dislike']) {
    t.equal((await ann.client.get(`v1/account/reactions${query}&cursor=${first.nextCursor}`)).statusCode, 400)
  }
  t.equal(
    (await bob.client.get(`v1/account/reactions?cursor=${first.nextCursor}`)).statusCode,
    400,
    'a cursor of another account',
  )

  await bob.client.delete(`v1/posts/${ids[1]}`)
  await bob.client.patch(`v1/posts/${ids[0]}`, { json: { text: '0, edited' } })
  t.same(
    await shown(),
    [
      ['3', 'like'],
      ['0, edited', 'dislike'],
      ['2', 'dislike'],
    ],
    'posts as they are now, without the deleted one',
  )
})

t.test('an account’s own reactions require a session and are not cached', async (t) => {
  const { url } = await testServer(t)
  t.equal((await makeClient(url).get('v1/account/reactions')).statusCode, 401)
  const { client } = await signUp(url)
  t.equal((await client.get('v1/account/reactions')).headers['cache-control'], 'no-store')
  t.equal((await client.get('v1/account/reactions?value=love')).statusCode, 400)
})
