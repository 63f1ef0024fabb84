import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { outageRoom } from '../../src/http/outage-room.ts'
import { serverOptions } from '../../src/http/server.ts'
import { eventually } from '../eventually.ts'

type Options = { maxWaiting?: number; clientOf?: (request: IncomingMessage) => { address: string; network: string } }

let clients = 0
/** Every request is another client's. */
function others() {
  clients += 1
  return { address: `address ${clients}`, network: `network ${clients}` }
}

/** A server whose requests end when they are told to. Two may wait for a database that answers no ping until it is told to. */
async function setUp(t: Test, { maxWaiting = 2, clientOf = others }: Options = {}) {
  const started: string[] = []
  const releases: (() => void)[] = []
  const database = { answers: false, unanswered: [] as (() => void)[] }
  let hooks = 0
  const headers = { 'x-every': 'response' }
  const ping = async () => {
    if (!database.answers) await new Promise<void>((resolve) => database.unanswered.push(resolve))
  }
  const app = Fastify(
    serverOptions(headers, { guard: outageRoom({ headers, clientOf, ping, onRefused: () => undefined, maxWaiting }) }),
  )
  app.addHook('onRequest', async () => {
    hooks += 1
  })
  app.get('/others', async () => 'read')
  for (const url of ['/v1/pulse', '/v1/session']) app.get(url, async () => 'without the database')
  app.get<{ Params: { name: string } }>('/v1/posts/:name', async ({ params: { name } }) => {
    started.push(name)
    await new Promise<void>((resolve) => releases.push(resolve))
    return name
  })
  app.post('/v1/posts', async () => started.push('write'))
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo // TCP always
  const read = async (name: string, headers = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}/${name}`, { headers })
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() }
  }
  return { database, port, read, started, release: () => releases.shift()?.(), hooks: () => hooks }
}

t.test(
  'of a silent database two requests wait, and each further one gets 503 at once and at different times',
  async (t) => {
    const { read, started, release, hooks } = await setUp(t)
    const first = [read('v1/posts/1'), read('v1/posts/2')]
    await eventually(() => started.length === 2)
    const refused = await read('v1/posts/3')
    t.match(refused, {
      status: 503,
      headers: { 'x-every': 'response', 'content-type': 'application/problem+json; charset=utf-8' },
    })
    const instance = `urn:rookery:request:${refused.headers['x-request-id']}`
    t.match(JSON.parse(refused.text), { code: 'database-unavailable', instance })
    const others = await Promise.all(Array.from({ length: 100 }, () => read('v1/posts/later')))
    const seconds = others.map(({ headers }) => Number(headers['retry-after']))
    t.ok(seconds.every((wait) => Number.isInteger(wait) && wait >= 1 && wait <= 5))
    t.ok(new Set(seconds).size > 1)
    t.equal(hooks(), 2, 'what is refused has run no other hook')
    t.match(await read('others'), { status: 200 })
    release()
    t.match(await first[0], { status: 200, text: '1' })
    const next = read('v1/posts/4')
    await eventually(() => started.length === 3)
    release()
    release()
    await Promise.all([...first, next])
    t.same(started, ['1', '2', '4'])
  },
)

t.test('while the database answers, more requests are in progress than wait in an outage', async (t) => {
  const { database, read, started, release } = await setUp(t)
  database.answers = true
  const first = [read('v1/posts/1'), read('v1/posts/2')]
  await eventually(() => started.length === 2)
  const more = [read('v1/posts/3'), read('v1/posts/4')]
  await eventually(() => started.length === 4)
  for (let n = 0; n < 4; n += 1) release()
  t.same(
    (await Promise.all([...first, ...more])).map(({ status }) => status),
    [200, 200, 200, 200],
  )
})

t.test('a database that answers again ends the refusals', async (t) => {
  const { database, read, started, release } = await setUp(t)
  const first = [read('v1/posts/1'), read('v1/posts/2')]
  await eventually(() => started.length === 2)
  t.equal((await read('v1/posts/3')).status, 503)
  database.answers = true
  for (const answer of database.unanswered) answer()
  await eventually(() => {
    void read('v1/posts/4').catch(() => undefined)
    return started.length > 2
  })
  for (let n = 0; n < started.length; n += 1) release()
  await Promise.all(first)
})

t.test('a client that leaves gives its place to another', async (t) => {
  const { port, read, started, release } = await setUp(t)
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('GET /v1/posts/1 HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually(() => started.length === 1)
  const second = read('v1/posts/2')
  await eventually(() => started.length === 2)
  t.equal((await read('v1/posts/3')).status, 503)
  socket.destroy()
  const next: Promise<unknown>[] = []
  await eventually(() => {
    if (started.length === 2) next.push(read('v1/posts/4').catch(() => undefined))
    return started.length === 3
  })
  for (let n = 0; n < 3; n += 1) release()
  await second
})

t.test('in an outage half of the waiting requests can be of one address, three quarters of one network', async (t) => {
  const clientOf = ({ headers: { client: address = '' } }: IncomingMessage) => ({
    address: String(address),
    network: `network ${String(address)[0]}`,
  })
  const { read, started, release } = await setUp(t, { maxWaiting: 8, clientOf })
  const waiting: Promise<unknown>[] = []
  const wait = async (...clients: string[]) => {
    for (const client of clients) waiting.push(read('v1/posts/1', { client }))
    await eventually(() => started.length === waiting.length)
  }
  const statusOf = async (client: string) => (await read('v1/posts/1', { client })).status
  await wait('a1', 'a1', 'a1', 'a1')
  t.equal(await statusOf('a1'), 503, 'the address')
  await wait('a2', 'a2')
  t.equal(await statusOf('a3'), 503, 'the network')
  await wait('b1', 'b2')
  t.equal(await statusOf('c1'), 503, 'all')
  for (let n = 0; n < 8; n += 1) release()
  await Promise.all(waiting)
})

t.test('an answer that needs no database does not say that it answers', async (t) => {
  const clientOf = ({ headers: { client = '' } }: IncomingMessage) => ({
    address: `${client}`,
    network: `of ${client}`,
  })
  const { port, read, started, release } = await setUp(t, { maxWaiting: 4, clientOf })
  const two = [1, 2].map((n) => read(`v1/posts/${n}`, { client: 'a' }))
  await eventually(() => started.length === 2)
  for (const path of ['v1/pulse', 'v1/session', '%761/pulse', 'v1/%70ulse'])
    for (let n = 0; n < 5; n += 1) {
      t.equal((await read(path, { client: 'b' })).status, 200, path)
      const { status } = await fetch(`http://127.0.0.1:${port}/v1/posts`, { method: 'POST', headers: { client: 'a' } })
      t.equal(status, 503, `after ${path}, of the address that has its half`)
    }
  release()
  release()
  await Promise.all(two)
})

t.test('requests whose bodies have not arrived take no room', async (t) => {
  const { port, read, started, release } = await setUp(t)
  const sockets = [1, 2, 3].map(() => connect(port, '127.0.0.1'))
  for (const socket of sockets) {
    await once(socket, 'connect')
    socket.write('POST /v1/posts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{')
  }
  const two = [read('v1/posts/1'), read('v1/posts/2')]
  await eventually(() => started.length === 2)
  t.equal((await read('v1/posts/3')).status, 503, 'the room was empty')
  for (const socket of sockets) socket.end('}')
  await eventually(() => started.length === 5)
  release()
  release()
  await Promise.all(two)
})

t.test('no other way to write a path leads past the outage room', async (t) => {
  const { port, read, started, release } = await setUp(t)
  const two = [read('v1/posts/1'), read('%761/posts/2')]
  await eventually(() => started.length === 2)
  for (const path of ['/%761/posts/3', 'http://x/v1/posts/3']) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    t.match(String((await socket.toArray())[0]), /^HTTP\/1.1 503/, path)
  }
  release()
  release()
  await Promise.all(two)
})
