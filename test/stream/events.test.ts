import t from 'tap'
import { eventually } from '../eventually.ts'
import { signUp, testServer } from '../helper.ts'
import { openStream, post } from './event-stream.ts'

type Post = { id: string }

t.test('posts, replies, edits, counts and deletions come in the order of their commits', async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  const stream = await openStream(t, url)
  t.match(stream, { status: 200, headers: { 'cache-control': 'no-store', 'x-accel-buffering': 'no' } })
  t.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8')
  t.match(stream.text, /^retry: \d+\nid: [0-9a-f]{24}\n\n/)

  const root = await post(client, 'root\nsecond line')
  const reply = await post(client, 'reply', root)
  await client.patch(`v1/posts/${root}`, { json: { text: 'edited' } })
  await client.put(`v1/posts/${reply}/reaction`, { json: { value: 'like' } })
  await eventually(() => stream.events.some(({ event, data }) => event === 'counts' && data.id === reply))
  await client.delete(`v1/posts/${root}`)
  await stream.until('removed', root)
  const kinds = stream.events.map(({ event, data }) => `${event} ${data.id}`)
  // A stream begins in the past, when the posts of an earlier test may have been removed from the same database.
  const isEarlier = ({ event, data }: (typeof stream.events)[number]) =>
    event === 'removed' && data.id !== root && data.id !== reply
  const own = stream.events.filter((each) => !isEarlier(each)).map(({ event, data }) => `${event} ${data.id}`)
  t.same(
    own.filter((name) => !name.startsWith('counts')),
    [`post ${root}`, `post ${reply}`, `edited ${root}`, `removed ${root}`],
  )
  t.ok(kinds.includes(`counts ${root}`), 'the reply counts')
  const shown = stream.events.find(({ data }) => data.id === reply)?.data
  const { body } = await client.get<Post>(`v1/posts/${reply}`)
  t.match(shown, { ...body, counts: {}, viewer: null }, 'a post as other routes show it')
  t.same((await stream.until('counts', reply)).data, { id: reply, counts: { likes: 1, dislikes: 0, replies: 0 } })
  const ids = stream.events.map(({ id }) => id)
  t.same(ids, [...ids].sort(), 'ids ascend')
})

t.test('counts of a post come at most 4 times a second, and the last are right', async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  const id = await post(client, 'liked')
  const stream = await openStream(t, url)
  const start = performance.now()
  for (let n = 0; n < 60; n += 1) {
    await client.put(`v1/posts/${id}/reaction`, { json: { value: n % 2 === 0 ? 'like' : 'dislike' } })
  }
  const isLast = ({ counts }: { counts?: object }) => JSON.stringify(counts) === '{"likes":0,"dislikes":1,"replies":0}'
  await client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  await client.put(`v1/posts/${id}/reaction`, { json: { value: 'dislike' } })
  const marker = await post(client, 'marker')
  await stream.until('post', marker)
  await eventually(() => isLast(stream.events.filter(({ event }) => event === 'counts').at(-1)?.data ?? {}))
  const seconds = (performance.now() - start) / 1_000
  const counts = stream.events.filter(({ event }) => event === 'counts')
  t.ok(counts.length <= 4 * seconds + 1, `${counts.length} in ${seconds} s`)
})
