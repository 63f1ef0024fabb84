import t from 'tap'
import { startHere, username } from '../embedded-mongod/fixtures/server.ts'
import { ServerProcess } from '../main/server-process.ts'
import { pidsOf } from './cluster.ts'

t.test('a process that cannot be replaced says why', { timeout: 120_000 }, async (t) => {
  // A mongod of its own: another start on the folder gives the user another password.
  const dataDir = t.testdir()
  const first = await startHere(t, dataDir)
  const port = new URL(first.uri).port
  const server = new ServerProcess(t, {
    WEB_CONCURRENCY: '2',
    MONGODB_URI: first.uri,
    DB_USER: username,
    DB_PASSWORD: 'first password',
    JWT_SIGN_KEY: 'one that is long enough: 0123456789abcdef',
  })
  await server.ready()
  await first.close()
  const second = await startHere(t, dataDir, 'another password')
  t.equal(new URL(second.uri).port, port, 'it is where it was')
  for (const pid of (await pidsOf(server, 'api')).slice(0, 1)) process.kill(pid, 'SIGKILL')
  await server.says(/api process \d+ ended unexpectedly \(1, MongoDB at \S+ refuses the user someone: check DB_USER/)
  t.match(await server.kill('SIGTERM'), { signal: null })
})
