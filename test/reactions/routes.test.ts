import t from 'tap'
import { v7 } from 'uuid'
import { makeClient, signUp, testServer } from '../helper.ts'

type Reaction = { account: { id: string; username: string; displayName: string }; value: string; reactedAt: string }
type Page = { items: Reaction[]; nextCursor: string | null }

t.test('reactions over HTTP', async (t) => {
  const { url } = await testServer(t)
  const visitor = makeClient(url)
  const users = await Promise.all(Array.from({ length: 7 }, () => signUp(url)))
  const [ann, bob] = users
  if (!ann || !bob) throw new Error('no accounts')
  const newPost = async () => (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'React' } })).body.id
  const react = ({ client }: typeof ann, id: string, value: unknown) =>
    client.put(`v1/posts/${id}/reaction`, { json: { value } })
  const withdraw = ({ client }: typeof ann, id: string) => client.delete(`v1/posts/${id}/reaction`)
  const listOf = async (id: string, searchParams: Record<string, string | number> = {}) =>
    (await visitor.get<Page>(`v1/posts/${id}/reactions`, { searchParams })).body
  const counts = (likes: number, dislikes: number) => ({ likes, dislikes, replies: 0 })

  t.test('liking, disliking and withdrawing are idempotent', async (t) => {
    const id = await newPost()
    for (const [value, after] of [
      ['like', counts(1, 0)],
      ['dislike', counts(0, 1)],
      ['like', counts(1, 0)],
    ] as const) {
      for (const time of ['once', 'twice']) {
        const answer = await react(bob, id, value)
        t.equal(answer.statusCode, 200, time)
        t.same(answer.body, { value, counts: after }, `${value} ${time}`)
      }
      t.match((await bob.client.get(`v1/posts/${id}`)).body, { counts: after, viewer: { reaction: value } })
    }
    for (const time of ['once', 'twice']) {
      const answer = await withdraw(bob, id)
      t.equal(answer.statusCode, 200, time)
      t.same(answer.body, { value: null, counts: counts(0, 0) }, `withdrawn ${time}`)
    }
    t.match((await bob.client.get(`v1/posts/${id}`)).body, { viewer: { reaction: null } })
    t.same(await listOf(id), { items: [], nextCursor: null })
  })

  t.test('an author can react to the own post, and the answer has the count of replies', async (t) => {
    const id = await newPost()
    await bob.client.post('v1/posts', { json: { text: 'A reply', replyTo: id } })
    t.same((await react(ann, id, 'like')).body, { value: 'like', counts: { likes: 1, dislikes: 0, replies: 1 } })
  })

  t.test('the list of reactions is newest first, and a changed reaction keeps its time and position', async (t) => {
    const id = await newPost()
    for (const user of users) await react(user, id, 'like')
    const before = (await listOf(id)).items
    const names = users.map(({ username }) => username).reverse()
    t.same(
      before.map(({ account }) => account.username),
      names,
    )
    await react(users[2] ?? ann, id, 'dislike')
    await react(users[4] ?? ann, id, 'dislike')
    await react(users[4] ?? ann, id, 'like')
    const after = (await listOf(id)).items
    const changed = users[2]?.username
    t.same(
      after,
      before.map((item) => (item.account.username === changed ? { ...item, value: 'dislike' } : item)),
    )
    t.same(
      (await listOf(id, { value: 'dislike' })).items.map(({ account }) => account.username),
      [changed],
    )
    t.same(
      (await listOf(id, { value: 'like' })).items,
      after.filter(({ value }) => value === 'like'),
    )
    await withdraw(users[0] ?? ann, id)
    await react(users[0] ?? ann, id, 'like')
    t.equal(
      (await listOf(id)).items[0]?.account.username,
      users[0]?.username,
      'a reaction set again after a withdrawal is new',
    )
    await ann.client.patch('v1/account', { json: { displayName: 'Ann the second' } })
    t.match((await listOf(id)).items[0], {
      account: { username: ann.username, displayName: 'Ann the second' },
      reactedAt: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    })
  })

  t.test(
    'pages have each reaction exactly once, even if others are withdrawn, set or changed in between',
    async (t) => {
      const id = await newPost()
      for (const [n, user] of users.entries()) await react(user, id, n % 2 ? 'dislike' : 'like')
      const all = (await listOf(id)).items
      for (const limit of [1, 2, 7]) {
        for (const value of [undefined, 'like', 'dislike']) {
          const seen: Reaction[] = []
          for (let cursor: string | null = ''; cursor !== null; ) {
            const page = await listOf(id, { limit, ...(value && { value }), ...(cursor && { cursor }) })
            seen.push(...page.items)
            cursor = page.nextCursor
          }
          t.same(seen, value ? all.filter((item) => item.value === value) : all, `${value ?? 'all'}, ${limit} a page`)
        }
      }
      const first = await listOf(id, { limit: 2 })
      await withdraw(users[5] ?? ann, id) // the cursor's own reaction
      await withdraw(users[3] ?? ann, id)
      await react(users[4] ?? ann, id, 'dislike')
      const late = await signUp(url)
      await react(late, id, 'like')
      const rest = await listOf(id, { cursor: first.nextCursor ?? '' })
      const names = [users[4], users[2], users[1], users[0]].map((user) => user?.username)
      t.same(
        rest.items.map(({ account }) => account.username),
        names,
      )
      t.equal(rest.nextCursor, null)
    },
  )

  t.test('a cursor is valid for one post and one filter only', async (t) => {
    const [id, other] = [await newPost(), await newPost()]
    for (const user of users) for (const post of [id, other]) await react(user, post, 'like')
    const cursor = (await listOf(id, { limit: 1 })).nextCursor ?? ''
    const refused = { statusCode: 400, body: { errors: [{ pointer: '/query/cursor' }] } }
    const get = (path: string) => visitor.get(path, { searchParams: { cursor } })
    t.match(await get(`v1/posts/${id}/reactions`), { statusCode: 200 })
    t.match(await get(`v1/posts/${other}/reactions`), refused)
    const byValue = { searchParams: { cursor, value: 'like' } }
    t.match(await visitor.get(`v1/posts/${id}/reactions`, byValue), refused)
    t.match(await visitor.get('v1/posts', { searchParams: { cursor } }), refused)
    t.match(await visitor.get(`v1/posts/${id}/reactions?value=love`), {
      statusCode: 400,
      body: { errors: [{ pointer: '/query/value' }] },
    })
  })

  t.test('an invalid value gets 400, a missing post 404, no session 401', async (t) => {
    const id = await newPost()
    for (const value of ['love', '', null, undefined, 1]) {
      t.match(await react(bob, id, value), { statusCode: 400, body: { errors: [{ pointer: '/body/value' }] } })
    }
    for (const missing of [v7(), 'x', id.toUpperCase()]) {
      t.match(await react(bob, missing, 'like'), { statusCode: 404, body: { code: 'not-found' } })
      t.match(await withdraw(bob, missing), { statusCode: 404 })
      t.equal((await visitor.get(`v1/posts/${missing}/reactions`)).statusCode, 404)
    }
    t.equal((await visitor.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })).statusCode, 401)
    t.equal((await visitor.delete(`v1/posts/${id}/reaction`)).statusCode, 401)
    t.same((await listOf(id)).items, [])
  })
})
