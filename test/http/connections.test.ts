import { once } from 'node:events'
import { type Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'

/** Opens connections from an address of loopback, all of which is this machine's; they close with the test. */
function openFrom(t: Test, port: number, localAddress: string, count: number): Socket[] {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port, host: '127.0.0.1', localAddress }).resume()
    return socket.on('error', () => undefined)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  return sockets
}

const isOpen = (socket: Socket) => socket.readyState === 'open'
const countOpen = (sockets: readonly Socket[]) => sockets.filter(isOpen).length
const settle = (sockets: readonly Socket[], open: number) => eventually(async () => countOpen(sockets) === open)

/** Reads on a new connection, or on the agent's; 'refused' if the connection is closed before an answer. */
async function read(port: number, localAddress: string, agent: Agent | false = false): Promise<number | 'refused'> {
  const outgoing = request({ port, host: '127.0.0.1', localAddress, agent, path: '/v1/posts' }).end()
  return new Promise((resolve) => {
    outgoing
      .on('response', (response) => resolve(response.resume().statusCode ?? 0))
      .on('error', () => resolve('refused'))
  })
}

/** Begins a request whose body is never complete. */
async function keepBusy(socket: Socket): Promise<void> {
  if (socket.connecting) await once(socket, 'connect')
  const answer = once(socket, 'data')
  // The answer shows that the server has the head.
  socket.write('POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n')
  await answer
}

t.test('an address has so many connections, and its network four times as many', async (t) => {
  const { app, port, lines } = await testServer(t, { LIMIT_CONNECTIONS_PER_ADDRESS: '5' })
  const first = openFrom(t, port, '127.0.9.1', 8)
  await settle(first, 5)
  t.equal(await read(port, '127.0.9.1'), 'refused')
  t.equal(await read(port, '127.0.9.2'), 200, 'a neighbour is served')
  for (const last of [2, 3, 4]) await settle(openFrom(t, port, `127.0.9.${last}`, 8), 5)
  t.equal(await read(port, '127.0.9.5'), 'refused', 'the network has 20')
  t.equal(await read(port, '127.0.8.1'), 200, 'another network is served')
  t.equal(countOpen(first), 5, 'connections within the limit stay')

  for (const socket of first) socket.destroy()
  await eventually(async () => (await read(port, '127.0.9.5')) === 200)
  await eventually(async () => (await read(port, '127.0.9.1')) === 200)
  const warnings = lines.map((line) => JSON.parse(line)).filter(({ msg }) => /^connections refused/.test(msg))
  t.match(warnings, [{ level: 40, ip: '127.0.9.1', connections: 1 }])
  t.equal(warnings.length, 1, 'one line a minute')
  t.match(await app.metrics.metrics(), /^rookery_connections_closed_total\{reason="network"\} \d+$/m)
})

t.test('a trusted proxy has no limit of connections', async (t) => {
  const { port } = await testServer(t, { LIMIT_CONNECTIONS_PER_ADDRESS: '5', TRUSTED_PROXIES: '127.0.9.1' })
  const sockets = openFrom(t, port, '127.0.9.1', 30)
  await settle(sockets, 30)
  t.equal(await read(port, '127.0.9.1'), 200)
  t.equal(countOpen(sockets), 30)
})

t.test('when it gets tight, idle connections of the busiest address are closed, and others are served', async (t) => {
  const { app, port } = await testServer(t)
  app.server.maxConnections = 40
  const [quiet] = openFrom(t, port, '127.0.1.1', 1)
  const [busy, ...idle] = openFrom(t, port, '127.0.9.1', 12)
  if (!quiet || !busy) throw new Error('no sockets')
  await settle([quiet, ...idle], 12)
  await keepBusy(busy)
  for (let round = 0; round < 10; round += 1) {
    const more = openFrom(t, port, '127.0.9.1', 30)
    await eventually(async () => more.every(({ connecting }) => !connecting))
    for (const last of [1, 2, 3]) await eventually(async () => (await read(port, `127.0.2.${last}`)) === 200)
  }
  t.ok(countOpen(idle) < idle.length, 'the busiest address loses its idle connections')
  t.ok(isOpen(busy), 'but not one with a request in progress')
  t.ok(isOpen(quiet), 'nor does another address lose its only one')
})

t.test('when it gets tight, connections whose clients do not read their answers are closed', async (t) => {
  const { app, port } = await testServer(t)
  app.server.maxConnections = 40
  const unread: Socket[] = []
  app.server.on('connection', (socket: Socket) => void unread.push(socket))
  const path = '/docs/static/swagger-ui-bundle.js'
  for (let n = 0; n < 36; n += 1) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.${n % 6}.9` })
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
    // More than the operating system takes.
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(10))
  }
  await eventually(
    () => unread.filter(({ destroyed, writableLength }) => destroyed || writableLength > 0).length === 36,
  )
  for (let n = 0; n < 8; n += 1) await eventually(async () => (await read(port, `127.0.20.${n + 1}`)) === 200)
  t.ok(unread.filter(({ destroyed }) => destroyed).length >= 6)
  const closed = /^rookery_connections_closed_total\{reason="idle"\} (\d+)$/m.exec(await app.metrics.metrics())?.[1]
  // The limit of what waits unread in memory closes others.
  t.ok(Number(closed) >= 1, `${closed} closed`)
})

t.test('when it gets tight, connections whose requests stay incomplete make room for others', async (t) => {
  const { app, port } = await testServer(t)
  app.server.maxConnections = 40
  const [[quiet], flood] = [openFrom(t, port, '127.0.1.1', 1), openFrom(t, port, '127.0.9.1', 31)]
  if (!quiet) throw new Error('no socket')
  await Promise.all([quiet, ...flood].map(keepBusy))
  t.equal(await read(port, '127.0.2.1'), 200, 'the 33rd of 40')
  await settle(flood, 28)
  t.ok(isOpen(quiet), 'an address keeps its only one')
})

t.test('an address that opens connections without end is refused; its neighbour is not', async (t) => {
  const { app, port } = await testServer(t, { LIMIT_CONNECTIONS_PER_ADDRESS: '5' })
  // However slow the machine is, no time passes in which the address might open more.
  const { now } = performance
  const stopped = performance.now()
  performance.now = () => stopped
  t.teardown(() => {
    performance.now = now
  })
  for (let round = 0; round < 11; round += 1) {
    const sockets = openFrom(t, port, '127.0.12.1', 100)
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    for (const socket of sockets) socket.destroy()
  }
  await eventually(async () =>
    /^rookery_connections_closed_total\{reason="rate"\} 100$/m.test(await app.metrics.metrics()),
  )
  t.equal(await read(port, '127.0.12.1'), 'refused')
  t.equal(await read(port, '127.0.12.2'), 200)
  performance.now = now
  await eventually(async () => (await read(port, '127.0.12.1')) === 200)
})
