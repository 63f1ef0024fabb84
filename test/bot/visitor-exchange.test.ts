import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { visitorExchanges } from '../../bot/visitor-exchange.ts'

const headers = { 'user-agent': 'test' }
const patience = { timeoutMs: 60_000 }

async function listening(t: Test, onConnection: (socket: Socket) => void): Promise<URL> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  const { port } = server.address() as { port: number } // of a server that listens on a port
  return new URL(`http://127.0.0.1:${port}/below/`)
}

const ignore = () => {}

t.test('an exchange without cookies says what came of the request', async (t) => {
  let sent = ''
  const base = await listening(t, (socket) =>
    socket.on('data', (chunk) => {
      sent += chunk
      socket.write('HTTP/1.1 404 Not Found\r\nX-Request-Id: r1\r\nContent-Length: 20\r\n\r\n{"code":"not-found"}')
    }),
  )
  const exchange = visitorExchanges(base, headers, undefined)
  const got: unknown[] = []
  const answer = await exchange(new URL('./v1/posts?limit=5', base), { method: 'GET' }, patience, (seen) =>
    got.push(seen['x-request-id']),
  )
  t.match(answer, { status: 404, body: { code: 'not-found' }, requestId: 'r1', isSessionInvalid: false })
  t.same(got, ['r1'])
  t.match(sent, /^GET \/below\/v1\/posts\?limit=5 HTTP\/1\.1\r\n/)
  t.match(sent, /user-agent: test\r\n/i)
})

t.test('without an answer, an exchange says why', async (t) => {
  const silent = await listening(t, ignore)
  const closing = await listening(t, (socket) => socket.once('data', () => socket.destroy()))
  const halting = await listening(t, (socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{')),
  )
  const send = (base: URL, more: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
    visitorExchanges(base, headers, undefined)(base, { method: 'GET' }, { ...patience, ...more }, ignore)
  t.match(await send(silent, { timeoutMs: 50 }), { status: null, cause: 'timeout' }, 'a server that says nothing')
  t.match(await send(halting, { timeoutMs: 50 }), { status: null, cause: 'timeout' }, 'one that stops in the middle')
  t.match(await send(closing), { status: null, cause: 'ECONNRESET' }, 'one that closes the connection')
  t.match(await send(new URL('http://127.0.0.1:1/')), { status: null, cause: 'ECONNREFUSED' })
  t.match(await send(silent, { signal: AbortSignal.abort() }), { status: null, cause: 'timeout' }, 'abandoned before')
  const abandoning = new AbortController()
  const waiting = send(silent, { signal: abandoning.signal })
  setTimeout(() => abandoning.abort(), 20)
  t.match(await waiting, { status: null, cause: 'timeout' }, 'abandoned while it waits')
})
