import t from 'tap'
import { pulse } from '../../src/pulse/pulse.ts'
import { eventually } from '../eventually.ts'
import { makeClient, signUp, testServer } from '../helper.ts'

type Counts = { requests: number; errors: number; posts: number; reactions: number; p95Ms: number | null }
type Pulse = { items: (Counts & { at: string })[]; total: Counts }

t.test('GET /v1/pulse counts requests, posts and reactions of complete seconds', async (t) => {
  const { url } = await testServer(t)
  const read = async () => (await makeClient(url).get<Pulse>('v1/pulse')).body
  t.match((await read()).total, { requests: 0, errors: 0, posts: 0, reactions: 0, p95Ms: null })

  const { client } = await signUp(url)
  const headers = { 'idempotency-key': 'once' }
  const { id } = await client.post('v1/posts', { json: { text: 'one' }, headers }).json<{ id: string }>()
  await client.post('v1/posts', { json: { text: 'one' }, headers })
  await client.post('v1/posts', { json: { text: '' } })
  await client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  await client.delete(`v1/posts/${id}/reaction`)
  await client.get('v1/nothing')
  const stream = await fetch(`${url}/v1/stream`)
  await stream.body?.cancel()
  await eventually(async () => (await read()).total.requests >= 6)
  const { items, total } = await read()
  t.match(total, { requests: 6, errors: 0, posts: 1, reactions: 2 }, 'neither the stream nor the pulse')
  t.ok((total.p95Ms ?? 0) > 0)
  t.equal(items.length, 60)
  for (const [n, { at }] of items.entries()) {
    t.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
    t.equal(Date.parse(at), Date.parse(items[0]?.at ?? '') + n * 1_000)
  }
  t.equal(
    items.reduce((sum, { requests }) => sum + requests, 0),
    6,
  )
  const response = await fetch(`${url}/v1/pulse`)
  t.equal(response.headers.get('cache-control'), 'no-store')
})

t.test('a second is shown once it is complete, and for a minute', async (t) => {
  let now = 1_000_000_000
  const counts = pulse(() => now)
  for (let ms = 1; ms <= 100; ms += 1) counts.note({ durationMs: ms, isError: ms > 98, created: 'post' })
  t.equal(counts.read().total.requests, 0)
  now += 1_000
  const { items, total } = counts.read()
  t.equal(counts.read().items, items, 'put together once a second')
  t.match(items.at(-1), { at: new Date(1_000_000_000), requests: 100, errors: 2, posts: 100, reactions: 0 })
  t.ok((total.p95Ms ?? 0) >= 95 && (total.p95Ms ?? 0) <= 105, `p95 is ${total.p95Ms}`)
  counts.note({ durationMs: 1e9, isError: false, created: 'reaction' })
  now += 59_000
  t.match(counts.read().items[0], { requests: 100 })
  now += 1_000
  t.match(counts.read().total, { requests: 1, posts: 0, reactions: 1 })
  now += 1_000
  t.match(counts.read().total, { requests: 0, p95Ms: null })
  now -= 500_000
  counts.note({ durationMs: 0, isError: false })
  now += 1_000
  t.match(counts.read().total, { requests: 1, p95Ms: 0.1 }, 'a clock that is set back')
})
