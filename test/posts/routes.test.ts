import { randomUUID } from 'node:crypto'
import t from 'tap'
import { v7 } from 'uuid'
import { makeClient, signUp, testServer } from '../helper.ts'

type Post = { id: string; text: string; author: { displayName: string }; counts: { replies: number } }
type Account = { counts: { posts: number } }

t.test('posts over HTTP', async (t) => {
  const { url } = await testServer(t)
  const ann = await signUp(url)
  const bob = await signUp(url)
  const visitor = makeClient(url)
  const post = (user: typeof ann, json: object) => user.client.post<Post>('v1/posts', { json })
  const countOf = async (user: typeof ann) => {
    const { body } = await visitor.get<Account>(`v1/accounts/${user.username}`)
    return body.counts.posts
  }

  t.test('creating a post answers 201 with Location and the complete post', async (t) => {
    const before = await countOf(ann)
    const { statusCode, headers, body } = await post(ann, { text: 'Hello\nworld\t🌍' })
    t.equal(statusCode, 201)
    t.equal(headers.location, `/v1/posts/${body.id}`)
    t.equal(headers['idempotency-replayed'], undefined)
    t.match(body, {
      author: { username: ann.username, displayName: ann.username },
      text: 'Hello\nworld\t🌍',
      createdAt: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
      editedAt: null,
      replyTo: null,
      counts: { likes: 0, dislikes: 0, replies: 0 },
      viewer: { reaction: null },
    })
    const keys = ['author', 'counts', 'createdAt', 'editedAt', 'id', 'replyTo', 'text', 'viewer']
    t.same(Object.keys(body).sort(), keys, 'no other members')
    t.same(Object.keys(body.author).sort(), ['displayName', 'id', 'username'])
    t.equal(await countOf(ann), before + 1)
    const read = await ann.client.get(`v1${headers.location?.slice(3)}`)
    t.same(read.body, body, 'reading it returns the same')
  })

  t.test('viewer is null without a session and has the viewer’s own reaction with one', async (t) => {
    const { id } = (await post(ann, { text: 'React to me' })).body
    await bob.client.put(`v1/posts/${id}/reaction`, { json: { value: 'dislike' } })
    for (const [client, viewer] of [
      [visitor, null],
      [bob.client, { reaction: 'dislike' }],
      [ann.client, { reaction: null }],
    ] as const) {
      t.match((await client.get(`v1/posts/${id}`)).body, { viewer })
      t.match((await client.get('v1/posts?limit=1')).body, { items: [{ id, viewer }] })
      t.match((await client.get(`v1/accounts/${ann.username}/posts?limit=1`)).body, { items: [{ id, viewer }] })
    }
  })

  t.test('old posts show their author’s current displayName', async (t) => {
    const { id } = (await post(bob, { text: 'Written under an old name' })).body
    await bob.client.patch('v1/account', { json: { displayName: 'Robert' } })
    t.match((await visitor.get(`v1/posts/${id}`)).body, { author: { displayName: 'Robert' } })
    t.match((await visitor.get('v1/posts?limit=1')).body, { items: [{ id, author: { displayName: 'Robert' } }] })
  })

  t.test('an edit changes text and editedAt only', async (t) => {
    const before = (await post(ann, { text: 'First form' })).body
    await bob.client.put(`v1/posts/${before.id}/reaction`, { json: { value: 'like' } })
    const edited = await ann.client.patch(`v1/posts/${before.id}`, { json: { text: 'Cafe\u0301' } })
    t.equal(edited.statusCode, 200)
    t.match(edited.body, { text: 'Café', editedAt: /Z$/ })
    const counts = { likes: 1, dislikes: 0, replies: 0 }
    const read = (await ann.client.get<object>(`v1/posts/${before.id}`)).body
    t.same(read, { ...before, ...('editedAt' in read && { editedAt: read.editedAt }), text: 'Café', counts })
    t.match(edited.body, read)
  })

  t.test('changing another account’s post gets 403, a missing one 404', async (t) => {
    const { id } = (await post(ann, { text: 'Mine' })).body
    const edit = (client: typeof visitor, id: string) => client.patch(`v1/posts/${id}`, { json: { text: 'Yours' } })
    const remove = (client: typeof visitor, id: string) => client.delete(`v1/posts/${id}`)
    for (const change of [edit, remove]) {
      t.match(await change(bob.client, id), { statusCode: 403, body: { code: 'forbidden' } })
      t.match(await change(bob.client, v7()), { statusCode: 404, body: { code: 'not-found' } })
      t.match(await change(bob.client, randomUUID()), { statusCode: 404 }, 'a UUID of another version')
      t.match(await change(bob.client, 'x'), { statusCode: 404 }, 'no UUID')
      t.match(await change(visitor, id), { statusCode: 401 })
    }
    t.match((await visitor.get(`v1/posts/${id}`)).body, { text: 'Mine', editedAt: null })
  })

  t.test('a deleted post gets 404, is in no list and is not counted', async (t) => {
    const { id } = (await post(ann, { text: 'Deleted soon' })).body
    const before = await countOf(ann)
    const { statusCode, rawBody } = await ann.client.delete(`v1/posts/${id}`)
    t.equal(statusCode, 204)
    t.equal(rawBody.length, 0)
    t.equal(await countOf(ann), before - 1)
    t.equal((await visitor.get(`v1/posts/${id}`)).statusCode, 404)
    for (const list of ['v1/posts', `v1/accounts/${ann.username}/posts`]) {
      const { items } = (await visitor.get<{ items: Post[] }>(list)).body
      t.notOk(items.some((item) => item.id === id))
    }
    t.equal((await ann.client.delete(`v1/posts/${id}`)).statusCode, 404, 'a second deletion gets 404')
    t.equal((await ann.client.patch(`v1/posts/${id}`, { json: { text: 'x' } })).statusCode, 404)
    t.equal(await countOf(ann), before - 1, 'and does not change the count')
  })

  t.test('10 concurrent deletions: one gets 204, 9 get 404, and the count drops by one', async (t) => {
    const { id } = (await post(bob, { text: 'Contended' })).body
    const before = await countOf(bob)
    const answers = await Promise.all(Array.from({ length: 10 }, () => bob.client.delete(`v1/posts/${id}`)))
    const statuses = answers.map(({ statusCode }) => statusCode).sort()
    t.same(statuses, [204, ...Array(9).fill(404)])
    t.equal(await countOf(bob), before - 1)
  })

  t.test('text has 1 to 500 code points after NFC, and more than white space', async (t) => {
    for (const text of ['👩', '👩'.repeat(500), 'e\u0301'.repeat(500)]) {
      t.match(await post(ann, { text }), { statusCode: 201, body: { text: text.normalize('NFC') } })
    }
    for (const text of ['', ' \n\t\u3000', '👩'.repeat(501), 'a\u0000', 'a\u0085', '\ud800', 7, null]) {
      t.match(await post(ann, { text }), { statusCode: 400, body: { errors: [{ pointer: '/body/text' }] } })
    }
    t.match(await post(ann, {}), { statusCode: 400, body: { errors: [{ pointer: '/body/text' }] } })
    const { body } = await post(ann, { text: 'a', counts: { likes: 9 } })
    t.match(body, { code: 'validation', errors: [{ pointer: '/body/counts' }] })
  })
})
