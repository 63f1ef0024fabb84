import t from 'tap'
import { v7 } from 'uuid'
import { makeClient, signUp, testServer } from '../helper.ts'

type Post = { id: string; replyTo: string | null; counts: { replies: number } }
type List = { items: Post[] }

t.test('replies', async (t) => {
  const { url, db } = await testServer(t)
  const ann = await signUp(url)
  const bob = await signUp(url)
  const visitor = makeClient(url)
  const post = (user: typeof ann, json: object) => user.client.post<Post>('v1/posts', { json })
  const repliesOf = async (id: string) => (await visitor.get<Post>(`v1/posts/${id}`)).body.counts.replies
  const postsOf = async (user: typeof ann) =>
    (await visitor.get<{ counts: { posts: number } }>(`v1/accounts/${user.username}`)).body.counts.posts

  t.test('a reply is counted for its parent and for its author', async (t) => {
    const parent = (await post(ann, { text: 'Question' })).body
    const before = await postsOf(bob)
    const reply = await post(bob, { text: 'Answer', replyTo: parent.id })
    t.match(reply, { statusCode: 201, body: { replyTo: parent.id } })
    t.equal(await repliesOf(parent.id), 1)
    t.equal(await postsOf(bob), before + 1)
    const nested = await post(ann, { text: 'Thanks', replyTo: reply.body.id })
    t.equal(nested.statusCode, 201, 'a reply can have replies')
    t.equal(await repliesOf(reply.body.id), 1)
    t.equal(await repliesOf(parent.id), 1, 'only direct replies count')
  })

  t.test('the public list has no replies, the account’s list does', async (t) => {
    const parent = (await post(ann, { text: 'Root' })).body
    const reply = (await post(bob, { text: 'Leaf', replyTo: parent.id })).body
    const ids = async (path: string) => (await visitor.get<List>(path)).body.items.map(({ id }) => id)
    const publicIds = await ids('v1/posts?limit=100')
    t.ok(publicIds.includes(parent.id))
    t.notOk(publicIds.includes(reply.id))
    t.equal((await ids(`v1/accounts/${bob.username}/posts`))[0], reply.id)
    t.equal((await ids(`v1/accounts/${bob.username.toUpperCase()}/posts`))[0], reply.id, 'in any case of the username')
  })

  t.test('a replyTo that names no post gets 400 at its pointer and stores nothing', async (t) => {
    const before = await postsOf(bob)
    for (const replyTo of [v7(), 'nonsense', 5, null]) {
      const { statusCode, body } = await post(bob, { text: 'No parent', replyTo })
      t.equal(statusCode, 400)
      t.match(body, { code: 'validation', errors: [{ pointer: '/body/replyTo' }] })
    }
    t.equal(await postsOf(bob), before)
    t.equal(await db.collection('posts').countDocuments({ text: 'No parent' }), 0)
  })

  t.test('deleting a reply decrements its parent’s count', async (t) => {
    const parent = (await post(ann, { text: 'Many' })).body
    const replies = await Promise.all([1, 2, 3].map((n) => post(bob, { text: `r${n}`, replyTo: parent.id })))
    t.equal(await repliesOf(parent.id), 3)
    await bob.client.delete(`v1/posts/${replies[1]?.body.id}`)
    t.equal(await repliesOf(parent.id), 2)
  })

  t.test('replies to a deleted post stay with their replyTo, and new ones get 400', async (t) => {
    const parent = (await post(ann, { text: 'Soon gone' })).body
    const reply = (await post(bob, { text: 'Survivor', replyTo: parent.id })).body
    await ann.client.delete(`v1/posts/${parent.id}`)
    t.match((await visitor.get(`v1/posts/${reply.id}`)).body, { replyTo: parent.id })
    t.equal((await visitor.get(`v1/posts/${parent.id}`)).statusCode, 404)
    t.match(await post(bob, { text: 'Too late', replyTo: parent.id }), {
      statusCode: 400,
      body: { errors: [{ pointer: '/body/replyTo' }] },
    })
    t.equal((await bob.client.delete(`v1/posts/${reply.id}`)).statusCode, 204, 'the reply can be deleted')
  })

  t.test('counts are exact after concurrent replies, deletions of replies and the parent’s deletion', async (t) => {
    const parents = await Promise.all([1, 2].map((n) => post(ann, { text: `parent ${n}` })))
    const [kept, doomed] = parents.map(({ body }) => body.id)
    const reply = async (n: number, replyTo: string | undefined) => {
      const { statusCode, body } = await post(bob, { text: `concurrent ${n}`, replyTo })
      if (statusCode === 201 && n % 3 === 0) t.equal((await bob.client.delete(`v1/posts/${body.id}`)).statusCode, 204)
      return statusCode
    }
    const statuses = await Promise.all([
      ...Array.from({ length: 24 }, (_, n) => reply(n, n % 2 ? kept : doomed)),
      ann.client.delete(`v1/posts/${doomed}`).then(({ statusCode }) => statusCode),
    ])
    t.ok(
      statuses.every((status) => [201, 204, 400].includes(status)),
      `answers ${[...new Set(statuses)]}`,
    )
    const existing = (await visitor.get<List>(`v1/accounts/${bob.username}/posts?limit=100`)).body.items
    t.equal(await repliesOf(kept ?? ''), existing.filter(({ replyTo }) => replyTo === kept).length)
    t.equal(await postsOf(bob), existing.length)
    t.equal(existing.length, await db.collection('posts').countDocuments({ author: (await authorOf(bob)) ?? null }))
  })

  async function authorOf(user: typeof ann) {
    return (await db.collection<{ _id: string; account: object }>('usernames').findOne({ _id: user.username }))?.account
  }
})
