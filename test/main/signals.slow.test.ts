import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { freshFolder, nothingRuns, ServerProcess, startNpmServer, startServer } from './server-process.ts'

const portOf = (url: string) => Number(new URL(url).port)

/** A raw connection. */
async function openSocket(t: Test, url: string) {
  const socket: Socket = connect(portOf(url), '127.0.0.1')
  t.teardown(() => socket.destroy())
  let said = ''
  socket.on('data', (chunk) => {
    said += chunk.toString()
  })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  const reads = async (pattern: RegExp) => {
    while (!pattern.test(said) && !socket.closed) await Promise.race([once(socket, 'data'), closed])
    const match = pattern.exec(said)?.[0]
    said = ''
    return match
  }
  return { reads, write: (text: string) => void socket.write(text) }
}

/** A sign-up whose body has not been sent yet. */
async function beginSignUp(t: Test, url: string, username: string) {
  const body = JSON.stringify({ username, password })
  const socket = await openSocket(t, url)
  const head = ['POST /v1/accounts HTTP/1.1', 'Host: x', 'Content-Type: application/json', 'Expect: 100-continue']
  socket.write(`${head.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n`)
  t.match(await socket.reads(/100 Continue/), '100 Continue')
  return { finish: () => socket.write(body), reads: socket.reads }
}

t.test('SIGTERM: requests in flight are finished, new ones get 503, and the server exits with 0', async (t) => {
  const folder = await freshFolder(t)
  const server = await startServer(t, { DATA_DIR: folder })
  const begun = await beginSignUp(t, server.url, 'begun')
  const probe = await openSocket(t, server.url)
  probe.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await probe.reads(/^HTTP\/1.1 200/), 'HTTP/1.1 200', 'ready')
  probe.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n')
  // The answer to a later request shows that the incomplete one has been read.
  await fetch(`${server.url}/health/live`)

  server.child.kill('SIGTERM')
  await server.says(/shutting down/)
  probe.write('\r\n')
  t.match(await probe.reads(/^HTTP\/1.1 \d+.*retry-after.*\r\n\r\n/s), 'HTTP/1.1 503', 'no longer ready')
  const late = makeClient(server.url)
  t.match(
    await late.get('health/ready'),
    { statusCode: 503, body: { code: 'overloaded' } },
    'on a new connection as well',
  )
  const refused = { statusCode: 503, headers: { connection: 'close', 'retry-after': '5' } }
  t.match(await late.get('v1/posts'), refused, 'new requests are refused')
  begun.finish()
  t.match(await begun.reads(/^HTTP\/1.1 201.*set-cookie: session=/s), 'HTTP/1.1 201', 'the sign-up is answered')
  t.match(await server.ended, { code: 0, signal: null, error: '' })
  t.ok(await nothingRuns(folder), 'no mongod remains')
})

t.test('a second SIGINT, over a second after the first, exits with 1 at once with a request in flight', async (t) => {
  const folder = await freshFolder(t)
  const server = await startServer(t, { DATA_DIR: folder })
  await beginSignUp(t, server.url, 'never')
  const from = performance.now()
  server.child.kill('SIGINT')
  await server.says(/shutting down/)
  t.equal(server.child.exitCode, null, 'it waits for the request in flight')
  // A sooner one counts as the copy that npm forwards.
  await sleep(1_100)
  server.child.kill('SIGINT')
  t.match(await server.ended, { code: 1, error: '' })
  t.ok(performance.now() - from < 9_000, 'before the drain timeout of 10 s')
  t.ok(await nothingRuns(folder), 'no mongod remains')
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} to the process group of npm start: the request in flight is answered, exit 0`, async (t) => {
    const folder = await freshFolder(t)
    const server = await startNpmServer(t, { DATA_DIR: folder })
    const begun = await beginSignUp(t, server.url, 'begun')
    server.killGroup(signal)
    await server.says(/shutting down/)
    begun.finish()
    t.match(await begun.reads(/^HTTP\/1.1 201/), 'HTTP/1.1 201')
    t.match(await server.ended, { code: 0, signal: null })
    t.ok(await nothingRuns(folder), 'no mongod remains')
  })
}

t.test('kill -9: no mongod remains, and the next start has every acknowledged post', async (t) => {
  const folder = await freshFolder(t)
  const server = await startServer(t, { DATA_DIR: folder })
  const { client, username } = await signUp(server.url)
  const acknowledged: string[] = []
  const poster = async () => {
    for (;;) {
      const answer = await client.post<{ id: string }>('v1/posts', { json: { text: 'kept?' } }).catch(() => undefined)
      if (!answer) return
      if (answer.statusCode === 201) acknowledged.push(answer.body.id)
      if (acknowledged.length === 25) server.child.kill('SIGKILL')
    }
  }
  await Promise.all([poster(), poster(), poster()])
  t.match(await server.ended, { signal: 'SIGKILL' })
  t.ok(await nothingRuns(folder), 'no mongod remains')

  const next = makeClient((await startServer(t, { DATA_DIR: folder })).url)
  for (const id of acknowledged) t.match(await next.get(`v1/posts/${id}`), { statusCode: 200 })
  const { body } = await next.get<{ counts: { posts: number } }>(`v1/accounts/${username}`)
  const { items } = (await next.get<{ items: unknown[] }>(`v1/accounts/${username}/posts?limit=100`)).body
  t.equal(body.counts.posts, items.length, 'the count is exact')
})

t.test('SIGHUP while the server starts does not end it', async (t) => {
  const server = new ServerProcess(t, { DATA_DIR: await freshFolder(t) })
  await server.says(/First start/)
  server.child.kill('SIGHUP')
  const url = await server.ready()
  t.equal((await fetch(`${url}/health/ready`)).status, 200)
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, signal: null })
})
