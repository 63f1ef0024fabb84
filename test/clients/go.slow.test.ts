import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { needs, programPath, testWholeSession } from './whole-session.ts'

const run = promisify(execFile)

t.test('a Go program can keep a session', await needs('go', 'version'), async (t) => {
  const program = join(t.testdir(), 'session')
  // Without a cache it compiles all of net/http.
  await run('go', ['build', '-o', program, programPath('session.go')])
  await testWholeSession(t, {
    name: 'net/http',
    command: async () => [program],
    env: ({ pem }) => ({ SSL_CERT_FILE: pem }),
  })
})
