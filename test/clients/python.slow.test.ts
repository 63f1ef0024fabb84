import t from 'tap'
import { needs, programPath, testWholeSession } from './whole-session.ts'

/** With httpx installed, for one of the two. */
const python = process.env.PYTHON ?? 'python3'

for (const [name, module] of Object.entries({ 'session_urllib.py': 'http.cookiejar', 'session_httpx.py': 'httpx' })) {
  t.test(`a Python program can keep a session: ${name}`, await needs(python, '-c', `import ${module}`), (t) =>
    testWholeSession(t, {
      name,
      command: async () => [python, programPath(name)],
      env: ({ pem }) => ({ SSL_CERT_FILE: pem }),
    }),
  )
}
