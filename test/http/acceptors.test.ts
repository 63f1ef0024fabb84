import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { acceptMore, countConnections, logAcceptErrors, stopAccepting } from '../../src/http/acceptors.ts'
import { startApiServer } from '../../src/processes/api-server.ts'
import { freshDatabase, testConfig } from '../helper.ts'

const skip = process.platform !== 'linux' && 'the sockets of a port share its connections on Linux only'
const backlog = 1_024

t.test('many connections are accepted in few turns of the event loop, and count as one server', { skip }, async (t) => {
  const server = createServer((_request, response) => response.end('here'))
  let accepted = 0
  server.on('connection', () => (accepted += 1))
  await once(server.listen({ host: '127.0.0.1', port: 0, backlog, reusePort: true }), 'listening')
  await acceptMore(server, backlog)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const clients = Array.from({ length: 320 }, () => connect(port, '127.0.0.1'))
  t.teardown(() => {
    for (const client of clients) client.destroy()
    server.closeAllConnections()
  })
  let turns = 0
  for (; accepted < clients.length; turns += 1) await turn()
  t.ok(turns < 160, `${turns} turns: less than one for each two connections`)
  t.equal(await countConnections(server), clients.length)
  for (const client of clients) client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  const answers = await Promise.all(clients.map(async (client) => String((await once(client, 'data'))[0])))
  t.ok(
    answers.every((answer) => answer.includes('here')),
    'each is served',
  )
  stopAccepting(server)
  const [error] = await once(connect(port, '127.0.0.1'), 'error')
  t.match(error, { code: 'ECONNREFUSED' }, 'no socket listens any more')
  t.equal(await countConnections(server), clients.length, 'connections stay open')
  for (const client of clients) client.end()
  while ((await countConnections(server)) > 0) await turn()
})

t.test('a server of one process listens so, and refuses a port that is in use', { skip }, async (t) => {
  const { connection } = await freshDatabase(t)
  const config = { ...(await testConfig(connection)), port: 0 }
  const log = pino({ level: 'silent' })
  const server = await startApiServer(config, connection, log)
  const port = Number(new URL(server.url).port)
  t.equal(await socketsOn(port), 16)
  await t.rejects(startApiServer({ ...config, port }, connection, log), {
    name: 'StartError',
    message: /already in use/,
  })
  t.equal((await fetch(`${server.url}/health/live`)).status, 200)
  await server.drain()
  t.equal(await socketsOn(port), 0)
  await server.close()
})

t.test('connections that the system cannot accept are logged, and the process goes on', async (t) => {
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: (line) => lines.push(line) })
  const server = createServer()
  await once(server.listen({ host: '127.0.0.1', port: 0, reusePort: skip === false }), 'listening')
  t.teardown(() => stopAccepting(server))
  if (skip === false) await acceptMore(server, backlog)
  logAcceptErrors(server, log)
  for (let n = 0; n < 3; n += 1) server.emit('error', Object.assign(new Error('accept ENOMEM'), { code: 'ENOMEM' }))
  t.equal(lines.length, 1, 'one line a minute')
  t.match(JSON.parse(lines[0] ?? ''), { msg: 'connections not accepted', err: { code: 'ENOMEM' } })
})

t.test('the maximum of connections is one for all sockets', { skip }, async (t) => {
  const { connection } = await freshDatabase(t)
  const app = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  const options = { host: '127.0.0.1', port: 0, reusePort: true }
  const port = Number(new URL(await app.listen(options)).port)
  await acceptMore(app.server, backlog)
  app.server.maxConnections = 20
  // None can be spared: those that are idle would be closed first.
  const clients: Socket[] = []
  for (let n = 0; n < 60; n += 1) {
    const client = connect(port, '127.0.0.1').on('error', () => undefined)
    t.teardown(() => client.destroy())
    client.write('GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await Promise.race([once(client, 'data'), once(client, 'close')])
    clients.push(client)
  }
  t.equal(clients.filter(({ closed }) => !closed).length, 20)
  t.equal(await countConnections(app.server), 20)
})

/** How many sockets listen on a port of IPv4. */
async function socketsOn(port: number): Promise<number> {
  const listening = '0A'
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n')
  return lines.filter((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    return state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port
  }).length
}
