import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, testConfig, testServer } from '../helper.ts'
import { ask, isProblem } from '../http/wire.ts'

/** A way to the database that can be cut, or held up without being cut. */
async function bridge(t: Test, uri: string) {
  const target = new URL(uri)
  const { hostname, port } = target
  const sockets = new Set<Socket>()
  let mode: 'open' | 'cut' | 'held' = 'open'
  const server = createServer((client) => {
    if (mode === 'cut') return void client.destroy()
    const upstream = connect(Number(port), hostname)
    for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
      sockets.add(from)
      from.on('error', () => undefined)
      from.on('close', () => to.destroy())
      from.on('data', (data) => void (mode === 'held' || to.write(data)))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const set = (next: typeof mode) => {
    mode = next
    if (next !== 'held') for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    set('cut')
    server.close()
  })
  const address = server.address()
  target.port = String(typeof address === 'object' && address ? address.port : 0)
  // Otherwise the driver asks the replica set for its members and goes past us.
  target.search = '?directConnection=true'
  return { uri: target.href, set }
}

t.test('health', { timeout: 120_000 }, async (t) => {
  const { connection } = await freshDatabase(t)
  const { uri, set } = await bridge(t, connection.uri)
  const through = { ...connection, uri }
  const app = await buildApp(await testConfig(through, { LOG_LEVEL: 'silent' }), through)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const ready = () => ask(port, 'GET', '/health/ready')
  const untilReady = () => eventually(async () => (await ready()).status === 200)
  const live = async (name: string) => t.match(await ask(port, 'GET', '/health/live'), { status: 200, body: ok }, name)
  const ok = { status: 'ok' }

  t.match(await ready(), { status: 200, body: ok, headers: { 'cache-control': 'no-store' } })
  await live('alive')

  t.test('not ready, but alive, while the database is cut off; ready again afterwards', async (t) => {
    set('cut')
    isProblem(t, await ready(), 'database-unavailable')
    isProblem(t, await ask(port, 'GET', '/v1/posts'), 'database-unavailable', 'and so is the API')
    await live('alive without its database')
    set('open')
    await untilReady()
    t.equal((await ready()).status, 200)
    t.equal((await ask(port, 'GET', '/v1/posts')).status, 200)
  })

  t.test('a database that hangs is no better than none', async (t) => {
    set('held')
    isProblem(t, await ready(), 'database-unavailable')
    isProblem(t, await ask(port, 'GET', '/v1/posts'), 'database-unavailable', 'and so is the API')
    await live('alive with a database that hangs')
    set('open')
    await untilReady()
    t.equal((await ready()).status, 200)
  })
})

t.test('while the process drains it is alive, not ready, and takes nothing new', async (t) => {
  const { app, port } = await testServer(t)
  await app.drain()
  isProblem(t, await ask(port, 'GET', '/health/ready'), 'overloaded')
  t.equal((await ask(port, 'GET', '/health/live')).status, 200)
  const refused = await ask(port, 'GET', '/v1/posts')
  isProblem(t, refused, 'overloaded')
  t.equal(refused.headers.connection, 'close')
})
