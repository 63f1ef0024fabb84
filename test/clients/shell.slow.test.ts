import t from 'tap'
import { needs, programPath, testWholeSession } from './whole-session.ts'

t.test('a shell script can keep a session', await needs('curl', '--version'), (t) =>
  testWholeSession(t, {
    name: 'curl',
    command: async () => ['sh', programPath('session.sh')],
    env: ({ pem }) => ({ CURL_CA_BUNDLE: pem }),
    printsNoCookies: true,
  }),
)
