import type { UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { toUuid } from '../../src/database/ids.ts'
import { signUp, testServer } from '../helper.ts'

type Profile = { ns: string; planSummary: string; hasSortStage?: boolean; docsExamined: number; nreturned: number }
type Page = { items: { id: string }[]; nextCursor: string | null }

t.test('every page of every list is one query that reads an index in order, and at most 3 documents', async (t) => {
  const { url, db } = await testServer(t)
  const users = await Promise.all(Array.from({ length: 6 }, () => signUp(url)))
  const [ann] = users
  if (!ann) throw new Error('no accounts')
  const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Root' } })).body
  for (const [n, { client }] of users.entries()) {
    for (const replyTo of [undefined, id]) await client.post('v1/posts', { json: { text: 'Post', replyTo } })
    await client.put(`v1/posts/${id}/reaction`, { json: { value: n % 2 ? 'like' : 'dislike' } })
    if (n === 0) continue
    await client.put(`v1/accounts/${ann.username}/follow`)
    await ann.client.put(`v1/accounts/${users[n]?.username}/follow`)
    const { body } = await client.post<{ id: string }>('v1/posts', { json: { text: 'Like this' } })
    await ann.client.put(`v1/posts/${body.id}/reaction`, { json: { value: 'like' } })
  }
  // Only with many posts by other accounts is a wrong index noticed.
  const others = Array.from({ length: 400 }, () => {
    const counts = { likes: 0, dislikes: 0, replies: 0 }
    return { _id: toUuid(v7()), author: toUuid(v7()), text: '.', editedAt: null, replyTo: toUuid(id), counts }
  })
  await db.collection<{ _id: UUID }>('posts').insertMany(others)
  await ann.client.post('v1/posts', { json: { text: 'The latest' } })
  // MongoDB's profiler records the plans of the queries that the server sends.
  await db.command({ profile: 2 })
  const profiles = db.collection<Profile & Record<string, unknown>>('system.profile')

  for (const [path, ns, index] of [
    ['posts', 'posts', '{ root: 1, _id: -1 }'],
    [`accounts/${ann.username}/posts`, 'posts', '{ author: 1, _id: -1 }'],
    [`posts/${id}/reactions`, 'reactions', '{ post: 1, value: 1, order: -1 }'],
    [`posts/${id}/reactions?value=like`, 'reactions', '{ post: 1, value: 1, order: -1 }'],
    [`posts/${id}/replies`, 'posts', '{ replyTo: 1, _id: -1 }'],
    [`accounts/${ann.username}/followers`, 'follows', '{ to: 1, order: -1 }'],
    [`accounts/${ann.username}/following`, 'follows', '{ from: 1, order: -1 }'],
    ['account/reactions', 'reactions', '{ account: 1, value: 1, order: -1 }'],
    ['account/reactions?value=like', 'reactions', '{ account: 1, value: 1, order: -1 }'],
  ] as const) {
    for (const page of ['first page', 'next page']) {
      t.test(`GET /v1/${path.replace(/[\w-]{13,}/, '…')}, ${page}`, async (t) => {
        const [address, value] = path.split('?value=')
        const searchParams = { limit: 1, ...(value && { value }) }
        const get = (cursor?: string | null) =>
          ann.client.get<Page>(`v1/${address}`, { searchParams: { ...searchParams, ...(cursor && { cursor }) } })
        const cursor = page === 'first page' ? undefined : (await get()).body.nextCursor
        const from = new Date()
        await new Promise((resolve) => setTimeout(resolve, 2))
        const { body } = await get(cursor)
        // The authors of the seeded replies do not exist, so the replies are hidden.
        t.equal(body.items.length, path.endsWith('replies') ? 0 : 1)
        const filter = {
          ns: `${db.databaseName}.${ns}`,
          op: 'query',
          ts: { $gt: from },
          'command.sort': { $exists: true },
        }
        const found = await profiles.find(filter).toArray()
        t.equal(found.length, 1, 'one query')
        const plans = found[0]?.planSummary.split(/, (?=IXSCAN)/)
        t.ok(
          plans?.every((plan) => plan === `IXSCAN ${index}`),
          found[0]?.planSummary ?? 'no plan',
        )
        t.notOk(found[0]?.hasSortStage, 'no in-memory sort')
        t.ok((found[0]?.docsExamined ?? 99) <= 3, 'one document for the page, one more, and at most one to merge')
      })
    }
  }
})
