import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { type Test, test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { toUuid } from '../../src/database/ids.ts'
import { startHere, username } from '../embedded-mongod/fixtures/server.ts'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp, testConfig } from '../helper.ts'
import { processesWith } from './fixtures/processes.ts'

const options = { skip: process.platform === 'linux' ? false : 'looks into /proc', timeout: 200_000 }
/** The contract's 5 s, and time for a busy machine. */
const maxAnswerMs = 30_000

type Answer = { statusCode: number; headers: Record<string, unknown>; body: { id?: string; code?: string } }
type User = Awaited<ReturnType<typeof signUp>>

/** A server with a mongod of its own, and that mongod's process id. */
async function serverWithMongod(t: Test) {
  const dataDir = t.testdir()
  const { uri } = await startHere(t, dataDir)
  const connection = { uri, username, password: 'first password' }
  const app = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo // TCP always
  const pid = async () => {
    const [mongod] = (await processesWith(dataDir)).filter(({ program }) => !program.endsWith('sh'))
    if (!mongod) throw new Error('no mongod')
    return mongod.pid
  }
  return { app, url: `http://127.0.0.1:${port}`, pid }
}

/** Sends requests, and collects answers that an outage does not explain. */
function observer() {
  const seen = { statuses: new Set<number>(), unexpected: [] as unknown[], longestMs: 0 }
  const send = async (request: () => Promise<unknown>): Promise<Answer> => {
    const start = performance.now()
    const { statusCode, headers, body } = (await request()) as Answer // the part of got's response that is used
    seen.longestMs = Math.max(seen.longestMs, performance.now() - start)
    seen.statuses.add(statusCode)
    const isRetried = /^\d+$/.test(String(headers['retry-after']))
    const isExplained = body?.code === 'outcome-unknown' || (body?.code === 'database-unavailable' && isRetried)
    if (statusCode >= 400 && !(statusCode === 503 && isExplained)) seen.unexpected.push({ statusCode, body })
    return { statusCode, headers, body }
  }
  return { seen, send }
}

async function untilReady(url: string) {
  for (let n = 0; n < 300; n += 1) {
    if ((await makeClient(url).get('health/database')).statusCode === 200) return
    await delay(100)
  }
  throw new Error('not ready within 30 s')
}

test('SIGKILL of mongod under concurrent writers loses no acknowledged write', options, async (t) => {
  const { app, url, pid } = await serverWithMongod(t)
  const users = await Promise.all(Array.from({ length: 8 }, () => signUp(url)))
  const [ann] = users
  if (!ann) throw new Error('no account was created')
  const target = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Target' } })).body.id
  const { seen, send } = observer()
  const acknowledged = new Map<string, string>()
  const lastReaction = new Map<string, string | null>()
  let goal = Number.POSITIVE_INFINITY

  const write = async ({ client, username }: User) => {
    for (let n = 0; acknowledged.size < goal; n += 1) {
      const headers = { 'idempotency-key': `n${n}` }
      const json = { text: `${username} ${n}`, replyTo: target }
      for (let done = false; !done; ) {
        const answer = await send(() => client.post('v1/posts', { json, headers }))
        done = answer.statusCode === 201
        if (answer.body.id && done) acknowledged.set(answer.body.id, json.text)
        if (!done) await delay(100)
      }
      const value = n % 3 ? 'like' : 'dislike'
      const reacted = await send(() => client.put(`v1/posts/${target}/reaction`, { json: { value } }))
      lastReaction.set(username, reacted.statusCode === 200 ? value : null)
    }
  }
  const read = async () => {
    while (acknowledged.size < goal) await send(() => makeClient(url).get(`v1/posts/${target}`))
  }
  const work = Promise.all([...users.map(write), read()])
  for (const kill of [1, 2]) {
    const before = acknowledged.size
    await eventually(() => acknowledged.size >= before + 40)
    process.kill(await pid(), 'SIGKILL')
    t.pass(`kill ${kill} after ${acknowledged.size} posts`)
    const after = acknowledged.size
    await eventually(() => acknowledged.size >= after + 40)
  }
  goal = 0
  await work

  t.same(seen.unexpected, [], 'every refusal is a 503 outcome-unknown, or database-unavailable with Retry-After')
  t.ok(
    seen.longestMs < maxAnswerMs,
    `the longest answer took ${seen.longestMs.toFixed()} ms; statuses ${[...seen.statuses]}`,
  )
  const posts = app.db.collection<{ _id: object; text: string; author: object }>('posts')
  const stored = new Map((await posts.find({ replyTo: toUuid(target) }).toArray()).map((p) => [String(p._id), p.text]))
  t.same(
    [...acknowledged].filter(([id, text]) => stored.get(id) !== text),
    [],
    'every acknowledged post is stored',
  )
  t.equal(stored.size, acknowledged.size, 'each once: every post was retried under its key until it was acknowledged')
  const counted = async (value: string) =>
    app.db.collection('reactions').countDocuments({ post: toUuid(target), value })
  const counts = { likes: await counted('like'), dislikes: await counted('dislike'), replies: stored.size }
  t.match((await ann.client.get(`v1/posts/${target}`)).body, { counts })
  for (const { client, username } of users) {
    const account = (await client.get<{ id: string; counts: { posts: number } }>('v1/account')).body
    t.equal(account.counts.posts, await posts.countDocuments({ author: toUuid(account.id) }))
    const reaction = lastReaction.get(username)
    if (reaction) t.match((await client.get(`v1/posts/${target}`)).body, { viewer: { reaction } })
  }
})

test(
  'a mongod that hangs: requests get 503 until it continues, and then succeed without duplicates',
  options,
  async (t) => {
    const { app, url, pid } = await serverWithMongod(t)
    const ann = await signUp(url)
    const target = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Target' } })).body.id
    const { seen, send } = observer()
    const mongod = await pid()
    const anonymous = makeClient(url)
    const requests: Record<string, () => Promise<unknown>> = {
      read: () => anonymous.get(`v1/posts/${target}`),
      'read with a cookie': () => ann.client.get(`v1/posts/${target}`),
      list: () => anonymous.get('v1/posts'),
      react: () => ann.client.put(`v1/posts/${target}/reaction`, { json: { value: 'like' } }),
      post: () => ann.client.post('v1/posts', { json: { text: 'Frozen' }, headers: { 'idempotency-key': 'frozen' } }),
      'log in': () => anonymous.post('v1/session', { json: { username: ann.username, password } }),
      'sign up': () => anonymous.post('v1/accounts', { json: { username: 'late_comer', password } }),
      'database health': () => anonymous.get('health/database'),
    }
    process.kill(mongod, 'SIGSTOP')
    try {
      for (const round of ['at once', 'later']) {
        const answers = Object.entries(requests).map(async ([name, request]) => {
          const start = performance.now()
          const { statusCode } = await send(request)
          t.equal(statusCode, 503, `${name}, ${round}, after ${(performance.now() - start).toFixed()} ms`)
        })
        await Promise.all(answers)
      }
      for (const path of ['health/live', 'health/ready']) t.equal((await anonymous.get(path)).statusCode, 200, path)
    } finally {
      process.kill(mongod, 'SIGCONT')
    }
    t.same(seen.unexpected, [])
    t.ok(seen.longestMs < maxAnswerMs, `the longest answer took ${seen.longestMs.toFixed()} ms`)

    await untilReady(url)
    for (const [name, request] of Object.entries(requests)) {
      const { statusCode } = await send(request)
      t.ok(statusCode < 300, `${name} answers ${statusCode} after the outage`)
    }
    t.equal(await app.db.collection('posts').countDocuments({ text: 'Frozen' }), 1)
    t.match((await ann.client.get(`v1/posts/${target}`)).body, { counts: { likes: 1 }, viewer: { reaction: 'like' } })
    t.match((await ann.client.get('v1/account')).body, { counts: { posts: 2 } })
  },
)

test('of 600 requests of one address to a frozen database 250 wait; others are refused first', options, async (t) => {
  const { url, pid } = await serverWithMongod(t)
  const mongod = await pid()
  const read = async () => {
    const response = await fetch(`${url}/v1/accounts/missing`)
    await response.arrayBuffer()
    return response
  }
  t.equal((await read()).status, 404)
  process.kill(mongod, 'SIGSTOP')
  try {
    const order: (string | null)[] = []
    const all = Array.from({ length: 600 }, async () => {
      const { status, headers } = await read()
      t.equal(status, 503)
      order.push(headers.get('retry-after'))
    })
    await eventually(() => order.length >= 50)
    t.equal((await fetch(`${url}/health/live`)).status, 200)
    t.equal((await fetch(`${url}/health/ready`)).status, 200)
    await eventually(() => order.length >= 350)
    const refused = order.slice(0, 350)
    t.ok(new Set(refused).size > 1, 'at different times')
    await Promise.all(all)
  } finally {
    process.kill(mongod, 'SIGCONT')
  }
  await untilReady(url)
  await eventually(async () => (await read()).status === 404)
})
