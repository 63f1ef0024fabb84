import t from 'tap'
import { startHere, username } from '../embedded-mongod/fixtures/server.ts'
import { ServerProcess } from '../main/server-process.ts'
import { pidsOf } from './cluster.ts'

t.test('when a replacement process cannot start, its StartError is logged', { timeout: 120_000 }, async (t) => {
  // With its own mongod: another start on the directory changes the user's password.
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
  t.equal(new URL(second.uri).port, port, 'on the same port')
  for (const pid of (await pidsOf(server, 'api')).slice(0, 1)) process.kill(pid, 'SIGKILL')
  await server.says(
    /worker exited unexpectedly.*\n +role: "api"\n.*\n +exitStatus: 1\n +startError: "MongoDB at \S+ refuses the user someone/,
  )
  t.match(await server.kill('SIGTERM'), { signal: null })
})
