import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { limitRequestsInProgress } from '../../src/limits/requests-in-progress.ts'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { ask, expectProblem, raw } from '../http/wire.ts'

const trustedProxy = '127.0.0.1'

/** A proxy that passes on a request whose body never ends. It resolves when the server has the head. */
async function passOnSlowly(t: Test, port: number, client: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: trustedProxy }).on('error', () => undefined)
  t.teardown(() => socket.destroy())
  socket.write(
    `POST /v1/session HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${client}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
  )
  const [answer] = await once(socket, 'data')
  if (!String(answer).startsWith('HTTP/1.1 100')) throw new Error(`the server answered ${answer}`)
  return socket
}

const from = (client: string) => ({ headers: { 'x-forwarded-for': client } })

t.test('behind a trusted proxy an address and a network have so many requests in progress', async (t) => {
  const { app, port, lines } = await testServer(t, {
    LIMIT_CONNECTIONS_PER_ADDRESS: '3',
    TRUSTED_PROXIES: trustedProxy,
  })
  const pass = (client: string) => passOnSlowly(t, port, client)
  const read = (client: string, path = '/v1/posts') => ask(port, 'GET', path, from(client))
  const [first] = await Promise.all([1, 2, 3].map(() => pass('203.0.113.1')))
  const refused = await read('203.0.113.1')
  expectProblem(t, refused, 'rate-limited')
  t.match(refused.headers, { 'ratelimit-policy': '"requests-by-address";q=3;w=1' })
  t.equal((await read('203.0.113.1', '/health/live')).status, 200, 'a few health checks are served')
  t.equal((await read('203.0.113.2')).status, 200, 'a neighbour is served')

  for (const client of ['203.0.113.2', '203.0.113.3', '203.0.113.4'])
    await Promise.all([1, 2, 3].map(() => pass(client)))
  t.match((await read('203.0.113.5')).headers, { 'ratelimit-policy': '"requests-by-network";q=12;w=1' })
  t.equal((await read('198.51.100.1')).status, 200, 'another network is served')
  t.equal((await ask(port, 'GET', '/v1/posts')).status, 200, 'as is the proxy itself')

  first?.destroy()
  await eventually(async () => (await read('203.0.113.1')).status === 200)
  t.equal((await read('203.0.113.1')).status, 200, 'what was answered or refused holds no place')
  await eventually(() => lines.some((line) => /"limit":"requests-by-address"/.test(line)))
  t.match(await app.metrics.metrics(), /^rookery_requests_rejected_total\{code="rate-limited"\} [1-9]\d*$/m)
})

t.test('a refused request with a body that never ends holds no connection', async (t) => {
  const { port } = await testServer(t, { LIMIT_CONNECTIONS_PER_ADDRESS: '1', TRUSTED_PROXIES: trustedProxy })
  await passOnSlowly(t, port, '203.0.113.1')
  const refusals = ['/v1/session', '/health/live'].map(async (path) => {
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.1\r\nContent-Length: 9\r\n\r\n`
    const [refused, ...more] = await raw(port, head)
    expectProblem(t, refused, 'rate-limited', path)
    t.match(refused?.headers, { connection: 'close' })
    t.same(more, [])
  })
  await Promise.all(refusals)
})

t.test('a peer that is no trusted proxy is bounded by its connections alone, whatever its headers', async (t) => {
  const { port } = await testServer(t, { LIMIT_CONNECTIONS_PER_ADDRESS: '2', TRUSTED_PROXIES: '127.0.9.9' })
  await passOnSlowly(t, port, '203.0.113.1')
  t.equal((await ask(port, 'GET', '/v1/posts', from('203.0.113.1'))).status, 200)
})

t.test('one address behind a trusted proxy does not take all connections', async (t) => {
  const { app, port } = await testServer(t, { LIMIT_CONNECTIONS_PER_ADDRESS: '10', TRUSTED_PROXIES: trustedProxy })
  app.server.maxConnections = 20
  const head =
    'POST /v1/session HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.1\r\nContent-Length: 9\r\n\r\n'
  let refused = 0
  for (let n = 0; n < 20; n += 1) {
    const socket = connect({ port, host: '127.0.0.1' }).on('error', () => undefined)
    t.teardown(() => socket.destroy())
    socket.on('data', (answer) => {
      if (String(answer).startsWith('HTTP/1.1 429')) refused += 1
    })
    socket.write(head)
  }
  await eventually(() => refused === 10)
  t.equal((await ask(port, 'GET', '/v1/posts', from('198.51.100.1'))).status, 200)
})

/** A server that answers none of the requests that are admitted. */
async function silentServer(t: Test, perAddress: number) {
  const admitted: ServerResponse[] = []
  const refused = new Map<string, number>()
  const admit = limitRequestsInProgress({
    headers: {},
    perAddress,
    trustedProxies: [trustedProxy],
    onRefused: (requests, limit) => refused.set(limit, (refused.get(limit) ?? 0) + requests),
  })
  const server = createServer(admit((_, response) => void admitted.push(response))).listen(0, trustedProxy)
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // TCP always
  const send = (count: number, path: string, headers: string) => {
    for (let n = 0; n < count; n += 1) {
      const socket = connect({ port, host: trustedProxy }).on('error', () => undefined)
      t.teardown(() => socket.destroy())
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`)
    }
  }
  return { admitted, refused, send }
}

for (const [name, header] of [
  ['too long', `X-Forwarded-For: ${'203.0.113.1, '.repeat(100)}203.0.113.1`],
  ['contradictory', 'X-Forwarded-For: 203.0.113.1\r\nForwarded: for=203.0.113.2'],
  ['malformed', 'X-Forwarded-For: 203.0.113.1\r\nForwarded: "'],
])
  t.test(`requests whose forwarding header is ${name} have the room of one client`, async (t) => {
    const { admitted, refused, send } = await silentServer(t, 2)
    send(5, '/v1/posts', header ?? '')
    await eventually(() => refused.get('requests-by-address') === 3)
    t.equal(admitted.length, 2)
    send(3, '/v1/posts', 'X-Forwarded-For: 203.0.113.1')
    await eventually(() => refused.get('requests-by-address') === 4)
    t.equal(admitted.length, 4, 'a client that is named has its own')
  })

t.test('a client does not take all connections with health checks', async (t) => {
  const { admitted, refused, send } = await silentServer(t, 2)
  send(20, '/health/live', 'X-Forwarded-For: 203.0.113.1')
  await eventually(() => refused.get('requests-by-address') === 8)
  t.equal(admitted.length, 12)
  send(20, '/health/live', 'Accept: */*')
  await eventually(() => admitted.length === 32)
  t.equal(admitted.length, 32, 'those of the proxy itself are all admitted')
})
