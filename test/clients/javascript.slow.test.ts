import t from 'tap'
import { programPath, testWholeSession } from './whole-session.ts'

for (const name of ['session-fetch.mjs', 'session-got.mjs']) {
  t.test(`a JavaScript program can keep a session: ${name}`, (t) =>
    testWholeSession(t, {
      name,
      command: async () => [process.execPath, programPath(name)],
      env: ({ pem }) => ({ NODE_EXTRA_CA_CERTS: pem }),
    }),
  )
}
