import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { freshFolder, ServerProcess } from './server-process.ts'

/** A server in production whose log goes to `stdout`. */
async function startLogging(t: Test, processes: string, stdout?: number) {
  const { connection } = await freshDatabase(t)
  const port = String(await findFreePort())
  const env = {
    NODE_ENV: 'production',
    PORT: port,
    WEB_CONCURRENCY: processes,
    PUBLIC_ORIGIN: `http://127.0.0.1:${port}`,
    COOKIE_SECURE: 'false',
    ALLOW_INSECURE_COOKIES: 'true',
    BCRYPT_COST: '10',
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
    THROTTLE_KEY: randomBytes(32).toString('hex'),
  }
  const server = new ServerProcess(t, env, stdout === undefined ? {} : { stdout })
  const url = `http://127.0.0.1:${port}`
  const isReady = () =>
    fetch(`${url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await eventually(async () => {
    if (server.child.exitCode !== null) throw new Error(`it exited: ${server.error}`)
    return isReady()
  })
  return { server, url }
}

async function ask(url: string, count: number) {
  const client = makeClient(url)
  for (let n = 0; n < count; n++) {
    const { statusCode } = await client.get('v1/posts/none')
    if (statusCode !== 404) throw new Error(`answered ${statusCode}`)
  }
}

for (const processes of ['1', '2']) {
  t.test(`a log on a full disk: the server answers and obeys SIGTERM, ${processes} processes`, async (t) => {
    const full = openSync('/dev/full', 'w')
    t.teardown(() => closeSync(full))
    const { server, url } = await startLogging(t, processes, full)
    await signUp(url)
    await ask(url, 100)
    t.match(await server.kill('SIGTERM'), { code: 0, signal: null, error: '' })
  })

  t.test(
    `a pipe of the log that is not read: the server answers and obeys SIGTERM, ${processes} processes`,
    async (t) => {
      const path = join(await freshFolder(t), 'log')
      execFileSync('mkfifo', [path])
      const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
      t.teardown(() => closeSync(pipe))
      const { server, url } = await startLogging(t, processes, pipe)
      // Each request is a line of over 200 bytes, and a pipe holds 64 KiB.
      await ask(url, 500)
      await signUp(url)
      t.match(await server.kill('SIGTERM'), { code: 0, signal: null, error: '' })
      const buffer = Buffer.alloc(1024 * 1024)
      // Of its 16 pages each can be half empty.
      t.ok(readSync(pipe, buffer) > 30_000, 'the pipe was full')
    },
  )

  t.test(
    `a socket of the log that is not read: the server answers and obeys SIGTERM, ${processes} processes`,
    async (t) => {
      const { server, url } = await startLogging(t, processes)
      const { stdout } = server.child
      stdout?.pause()
      // Over 300 kB of lines, which the socket and Node.js do not hold.
      await ask(url, 1_500)
      server.child.kill('SIGTERM')
      await once(server.child, 'exit')
      t.equal(server.child.exitCode, 0)
      stdout?.resume()
      const { out } = await server.ended
      t.ok(out.length < 300_000, 'the socket was full')
    },
  )
}
