import type { UUID } from 'mongodb'
import t from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { makeClient, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'

type Post = { id: string; replyTo: string | null; counts: { replies: number } }
type Page = { items: Post[]; nextCursor: string | null }
type Client = ReturnType<typeof makeClient>

const write = async (client: Client, replyTo?: string) =>
  (await client.post<Post>('v1/posts', { json: { text: '.', ...(replyTo && { replyTo }) } })).body.id
const replies = async (client: Client, id: string, query = '') =>
  (await client.get<Page>(`v1/posts/${id}/replies${query}`)).body
const idsOf = async (client: Client, id: string) => (await replies(client, id)).items.map((post) => post.id)

t.test('a thread of 10,000 pages evenly', { timeout: 120_000 }, async (t) => {
  const { url, db } = await testServer(t)
  const { client } = await signUp(url)
  const [root, author] = [await write(client), (await client.get<{ id: string }>('v1/account')).body.id]
  const planted = Array.from({ length: 10_000 }, (): PostDocument => {
    const counts = { likes: 0, dislikes: 0, replies: 0 }
    const own = { author: toUuid(author), replyTo: toUuid(root) }
    return { _id: toUuid(newId()), ...own, text: '.', editedAt: null, counts, revision: 0 }
  })
  await db.collection<{ _id: UUID }>('posts').insertMany(planted)
  await db.command({ profile: 2 })
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page = await replies(client, root, `?limit=100${cursor && `&cursor=${cursor}`}`)
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor
  }
  await db.command({ profile: 0 })
  t.same(seen, planted.map(({ _id }) => String(_id)).toReversed())
  const filter = { ns: `${db.databaseName}.posts`, 'command.sort': { $exists: true } }
  const pages = await db.collection('system.profile').find(filter).toArray()
  t.ok(pages.length > 10, `${pages.length} are still in the profile, which has 1 MB`)
  for (const { docsExamined, planSummary } of pages) {
    t.ok(docsExamined <= 101, `${docsExamined} for one page`)
    t.equal(planSummary, 'IXSCAN { replyTo: 1, _id: -1 }')
  }
})

t.test('replies stay when their post goes; it can be read and replied to no more', async (t) => {
  const { url } = await testServer(t)
  const [ann, bob] = [await signUp(url), await signUp(url)]
  const root = await write(ann.client)
  const reply = await write(bob.client, root)
  const answer = await write(ann.client, reply)
  t.same(await idsOf(bob.client, root), [reply], 'only what answers it directly')
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

t.test('the count is that of the list after many have replied and deleted at once, on two servers', async (t) => {
  const { urls } = await twoServers(t)
  const people = await Promise.all(Array.from({ length: 6 }, (_, n) => signUp(urls[n % 2 ? 1 : 0])))
  const [ann] = people
  if (!ann) throw new Error('nobody signed up')
  const root = await write(ann.client)
  await Promise.all(
    people.map(async ({ client }) => {
      for (let n = 0; n < 12; n += 1) {
        const id = await write(client, root)
        if (n % 3 === 0) await client.delete(`v1/posts/${id}`)
      }
    }),
  )
  const anyone = makeClient(urls[1])
  t.equal((await replies(anyone, root, '?limit=100')).items.length, 48)
  t.match((await anyone.get(`v1/posts/${root}`)).body, { counts: { replies: 48 } })
})
