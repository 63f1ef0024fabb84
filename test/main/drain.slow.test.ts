import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { freshFolder, startServer } from './server-process.ts'
import { openSocket } from './unfinished-request.ts'

/** A client with one keep-alive connection, which it uses until the server closes it. */
function keepAliveClient(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let answered = 0
  let wasClosed = false
  const send = () =>
    new Promise<void>((resolve, reject) => {
      request(`${url}/v1/posts`, { agent }, (response) => {
        wasClosed = response.headers.connection === 'close'
        response.resume().once('end', resolve).once('error', reject)
      })
        .once('error', reject)
        .end()
    })
  async function run(): Promise<'closed after an answer' | 'reset'> {
    while (!wasClosed) {
      try {
        await send()
        answered += 1
      } catch {
        return 'reset'
      }
      await sleep(Math.random() * 20)
    }
    agent.destroy()
    return 'closed after an answer'
  }
  return { done: run(), answered: () => answered }
}

for (const processes of ['1', '2'])
  t.test(
    `SIGTERM under keep-alive load, ${processes} processes: each connection ends after an answer, none is reset`,
    { timeout: 460_000 },
    async (t) => {
      const DATA_DIR = await freshFolder(t)
      for (const round of [1, 2]) {
        const env = { DATA_DIR, WEB_CONCURRENCY: processes, LOG_LEVEL: 'info', DRAIN_SECONDS: round === 2 ? '1' : '0' }
        const server = await startServer(t, env)
        const clients = Array.from({ length: 40 }, () => keepAliveClient(server.url))
        while (clients.some(({ answered }) => answered() < 3)) await sleep(20)
        const ended = server.kill('SIGTERM')
        const results = await Promise.all(clients.map(({ done }) => done))
        t.same(Object.groupBy(results, (result) => result).reset ?? [], [], `round ${round}`)
        t.match(await ended, { code: 0, signal: null, error: '' }, `round ${round}`)
      }
    },
  )

for (const processes of ['1', '2'])
  t.test(
    `a client that sends half a request and reads nothing does not delay the exit beyond GRACE_SECONDS, ${processes} processes`,
    { timeout: 460_000 },
    async (t) => {
      const env = { DATA_DIR: await freshFolder(t), GRACE_SECONDS: '2', WEB_CONCURRENCY: processes }
      const server = await startServer(t, env)
      for (const _ of [1, 2, 3]) {
        const socket = await openSocket(t, server.url)
        socket.write(
          'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n',
        )
      }
      // The answer to a later request shows that they have been read.
      for (let n = 0; n < 4; n += 1) await fetch(`${server.url}/health/live`, { headers: { connection: 'close' } })
      const { code, out } = await server.kill('SIGTERM')
      t.equal(code, 0)
      t.notMatch(out, /cut off/)
    },
  )
