import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, testConfig, testServer } from '../helper.ts'
import { ask, expectProblem } from '../http/wire.ts'

/** A proxy to the database that can be cut, or can stall. */
async function createProxy(t: Test, uri: string) {
  const target = new URL(uri)
  const { hostname, port } = target
  const sockets = new Set<Socket>()
  let mode: 'open' | 'cut' | 'stalled' = 'open'
  const server = createServer((client) => {
    if (mode === 'cut') return void client.destroy()
    const upstream = connect(Number(port), hostname)
    for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
      sockets.add(from)
      from.on('error', () => undefined)
      from.on('close', () => to.destroy())
      from.on('data', (data) => void (mode === 'stalled' || to.write(data)))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const setMode = (next: typeof mode) => {
    mode = next
    if (next !== 'stalled') for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    setMode('cut')
    server.close()
  })
  const address = server.address()
  target.port = String(typeof address === 'object' && address ? address.port : 0)
  // Otherwise the driver would discover the replica set's members and bypass the proxy.
  target.search = '?directConnection=true'
  return { uri: target.href, setMode }
}

t.test('liveness and readiness', { timeout: 120_000 }, async (t) => {
  const { connection } = await freshDatabase(t)
  const { uri, setMode } = await createProxy(t, connection.uri)
  const through = { ...connection, uri }
  const app = await buildApp(await testConfig(through, { LOG_LEVEL: 'silent' }), through)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const database = () => ask(port, 'GET', '/health/database')
  const untilDatabase = () => eventually(async () => (await database()).status === 200)
  /** It would take every server of a shared database out of service. */
  const ready = async () => t.match(await ask(port, 'GET', '/health/ready'), { status: 200, body: ok }, 'ready')
  const live = async (name: string) => t.match(await ask(port, 'GET', '/health/live'), { status: 200, body: ok }, name)
  const ok = { status: 'ok' }

  t.match(await database(), { status: 200, body: ok, headers: { 'cache-control': 'no-store' } })
  await ready()
  await live('live')

  t.test(
    'while the database is unreachable the process is live and ready, and says that the database is not',
    async (t) => {
      setMode('cut')
      expectProblem(t, await database(), 'database-unavailable')
      await ready()
      expectProblem(t, await ask(port, 'GET', '/v1/posts'), 'database-unavailable', 'the API')
      await live('live without the database')
      setMode('open')
      await untilDatabase()
      await ready()
      t.equal((await ask(port, 'GET', '/v1/posts')).status, 200)
    },
  )

  t.test('while the database stalls the process is live and ready, and says that the database is not', async (t) => {
    setMode('stalled')
    expectProblem(t, await database(), 'database-unavailable')
    await ready()
    expectProblem(t, await ask(port, 'GET', '/v1/posts'), 'database-unavailable', 'the API')
    await live('live with a stalled database')
    setMode('open')
    await untilDatabase()
    await ready()
  })
})

t.test('while the process drains it serves everything, is not ready, and closes each connection', async (t) => {
  const { app, port } = await testServer(t, { DRAIN_SECONDS: '60' })
  void app.drain()
  const notReady = await ask(port, 'GET', '/health/ready')
  expectProblem(t, notReady, 'overloaded')
  t.equal(notReady.headers.connection, 'close')
  for (const path of ['/health/live', '/health/database', '/v1/posts'])
    t.match(await ask(port, 'GET', path), { status: 200, headers: { connection: 'close' } }, path)
  t.match(await ask(port, 'GET', '/v1/nowhere'), { status: 404, headers: { connection: 'close' } })
})

t.test('while its clock differs from the database’s by more than 5 s the process is live but not ready', async (t) => {
  const { port, lines } = await testServer(t)
  const { now } = Date
  const step = (ms: number) => t.capture(Date, 'now', () => now() + ms)
  const isReady = async () => (await ask(port, 'GET', '/health/ready')).status === 200
  t.ok(await isReady())
  for (const ms of [-6_000, 3 * 86_400_000]) {
    const clock = step(ms)
    const refused = await ask(port, 'GET', '/health/ready')
    expectProblem(t, refused, 'overloaded')
    t.match(refused.body, { detail: /clock/ })
    t.equal((await ask(port, 'GET', '/health/live')).status, 200)
    clock.restore()
    t.ok(await isReady(), 'ready again once it is right')
  }
  t.equal(lines.filter((line) => line.includes('run NTP')).length, 2)
})
