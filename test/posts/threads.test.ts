import type { UUID } from 'mongodb'
import t from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { makeClient, retry503, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'

type Post = { id: string; replyTo: string | null; counts: { replies: number } }
type Page = { items: Post[]; nextCursor: string | null }
type Client = ReturnType<typeof makeClient>

const write = async (client: Client, replyTo?: string) =>
  (await client.post<Post>('v1/posts', { json: { text: '.', ...(replyTo && { replyTo }) } })).body.id
const replies = async (client: Client, id: string, query = '') =>
  (await client.get<Page>(`v1/posts/${id}/replies${query}`)).body
const idsOf = async (client: Client, id: string) => (await replies(client, id)).items.map((post) => post.id)

t.test('each page of 10,000 replies examines at most 101 documents of one index', { timeout: 120_000 }, async (t) => {
  const { url, db } = await testServer(t)
  const { client } = await signUp(url)
  const [root, author] = [await write(client), (await client.get<{ id: string }>('v1/account')).body.id]
  const seeded = Array.from({ length: 10_000 }, (): PostDocument => {
    const counts = { likes: 0, dislikes: 0, replies: 0 }
    const own = { author: toUuid(author), replyTo: toUuid(root) }
    return { _id: toUuid(newId()), ...own, text: '.', editedAt: null, counts, revision: 0 }
  })
  await db.collection<{ _id: UUID }>('posts').insertMany(seeded)
  await db.command({ profile: 2 })
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page = await replies(client, root, `?limit=100${cursor && `&cursor=${cursor}`}`)
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor
  }
  await db.command({ profile: 0 })
  t.same(seen, seeded.map(({ _id }) => String(_id)).toReversed())
  const filter = { ns: `${db.databaseName}.posts`, 'command.sort': { $exists: true } }
  const pages = await db.collection('system.profile').find(filter).toArray()
  t.ok(pages.length > 10, `${pages.length} pages are in the profile, which is capped at 1 MB`)
  for (const { docsExamined, planSummary } of pages) {
    t.ok(docsExamined <= 101, `${docsExamined} for one page`)
    t.equal(planSummary, 'IXSCAN { replyTo: 1, _id: -1 }')
  }
})

t.test('replies of a deleted post stay readable; the post itself and its lists get 404', async (t) => {
  const { url } = await testServer(t)
  const [ann, bob] = [await signUp(url), await signUp(url)]
  const root = await write(ann.client)
  const reply = await write(bob.client, root)
  const answer = await write(ann.client, reply)
  t.same(await idsOf(bob.client, root), [reply], 'only direct replies')
  t.equal((await ann.client.delete(`v1/posts/${root}`)).statusCode, 204)
  for (const path of ['', '/replies', '/reactions']) {
    t.equal((await bob.client.get(`v1/posts/${root}${path}`)).statusCode, 404, path)
  }
  t.match((await bob.client.get(`v1/posts/${reply}`)).body, { replyTo: root, counts: { replies: 1 } })
  t.same(await idsOf(bob.client, reply), [answer])
  const { statusCode, body } = await bob.client.post('v1/posts', { json: { text: '.', replyTo: root } })
  t.match({ statusCode, body }, { statusCode: 400, body: { errors: [{ pointer: '/body/replyTo' }] } })
  t.equal((await ann.client.delete(`v1/posts/${answer}`)).statusCode, 204)
  t.match((await bob.client.get(`v1/posts/${reply}`)).body, { counts: { replies: 0 } })
})

t.test('after concurrent replies and deletions on two servers the count equals the list', async (t) => {
  const { urls } = await twoServers(t)
  const users = await Promise.all(Array.from({ length: 6 }, (_, n) => signUp(urls[n % 2 ? 1 : 0])))
  const [ann] = users
  if (!ann) throw new Error('no accounts')
  const root = await write(ann.client)
  await Promise.all(
    users.map(async ({ client }) => {
      for (let n = 0; n < 12; n += 1) {
        const headers = { 'idempotency-key': String(n) }
        const json = { text: 'A reply', replyTo: root }
        const { body } = await retry503(() => client.post<{ id: string }>('v1/posts', { json, headers }))
        if (n % 3 === 0) await retry503(() => client.delete(`v1/posts/${body.id}`))
      }
    }),
  )
  const visitor = makeClient(urls[1])
  t.equal((await replies(visitor, root, '?limit=100')).items.length, 48)
  t.match((await visitor.get(`v1/posts/${root}`)).body, { counts: { replies: 48 } })
})
