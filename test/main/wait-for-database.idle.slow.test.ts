import t from 'tap'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { startHere, username } from '../embedded-mongod/fixtures/server.ts'
import { eventually } from '../eventually.ts'
import { signUp } from '../helper.ts'
import { freshFolder, ServerProcess } from './server-process.ts'

const secrets = { DB_USER: username, DB_PASSWORD: 'first password', JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K' }
const waiting = /waiting for the database \(\d+ of \d+ s\): MongoDB at \S+ does not respond/

for (const WEB_CONCURRENCY of ['1', '2'])
  t.test(
    `a database that starts long after the server: live and not ready until then, in ${WEB_CONCURRENCY} processes`,
    { timeout: 200_000 },
    async (t) => {
      const dataDir = await freshFolder(t)
      const { uri, close } = await startHere(t, dataDir)
      await close()
      const port = await findFreePort()
      const env = { ...secrets, MONGODB_URI: uri, PORT: String(port), WEB_CONCURRENCY, START_PATIENCE_SECONDS: '120' }
      const server = new ServerProcess(t, env)
      await server.says(waiting)
      const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
      t.equal((await get('/health/live')).status, 200)
      for (const path of ['/health/ready', '/health/database', '/v1/posts']) {
        const refused = await get(path)
        t.match(
          { status: refused.status, body: await refused.json() },
          { status: 503, body: { code: 'database-unavailable' } },
          path,
        )
        t.match(refused.headers.get('retry-after'), /^\d+$/)
        t.equal(refused.headers.get('x-content-type-options'), 'nosniff')
      }
      await eventually(() => server.out.match(new RegExp(waiting, 'g'))?.length === 3)

      const second = await startHere(t, dataDir)
      t.equal(second.uri, uri)
      const url = await server.ready()
      await signUp(url)
      t.equal((await get('/health/ready')).status, 200)
      t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
    },
  )

t.test('when its patience ends the server exits with 69 and the reason', async (t) => {
  const env = { ...secrets, MONGODB_URI: 'mongodb://127.0.0.1:1/rookery', START_PATIENCE_SECONDS: '6' }
  const { code, out, error } = await new ServerProcess(t, env).ended
  t.equal(code, 69)
  t.match(error, /^MongoDB at 127\.0\.0\.1:1 does not respond[^\n]*\n$/)
  t.equal(out.match(new RegExp(waiting, 'g'))?.length, 1)
})

t.test('SIGTERM ends the wait at once', async (t) => {
  const server = new ServerProcess(t, { ...secrets, MONGODB_URI: 'mongodb://127.0.0.1:1/rookery' })
  await server.says(waiting)
  t.match(await server.kill('SIGTERM'), { code: 143, signal: null, error: '' })
})
