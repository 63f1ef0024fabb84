import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, signUp } from '../helper.ts'
import { freshFolder, nothingRuns, ServerProcess, startNpmServer, startServer } from './server-process.ts'
import { beginSignUp, openSocket } from './unfinished-request.ts'

t.test('SIGTERM: requests in flight are finished, new connections refused, and the server exits with 0', async (t) => {
  const folder = await freshFolder(t)
  const server = await startServer(t, { DATA_DIR: folder })
  const begun = await beginSignUp(t, server.url, 'begun')
  const probe = await openSocket(t, server.url)
  probe.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await probe.reads(/^HTTP\/1.1 200/), 'HTTP/1.1 200', 'ready')

  server.child.kill('SIGTERM')
  await server.says(/shutting down/)
  probe.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
  const answer = await probe.reads(/^HTTP\/1.1 \d+.*retry-after.*\r\n\r\n/s)
  t.match(answer, 'HTTP/1.1 503', 'no longer ready, on an open connection')
  t.match(answer, /connection: close/i)
  await eventually(() =>
    fetch(`${server.url}/health/live`).then(
      () => false,
      () => true,
    ),
  )
  begun.finish()
  const signedUp = await begun.reads(/^HTTP\/1.1 201.*set-cookie: session=/s)
  t.match(signedUp, /connection: close/i, 'the sign-up is answered')
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
  t.ok(performance.now() - from < 20_000, 'before the end of GRACE_SECONDS')
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
