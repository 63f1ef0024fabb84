import { chmod } from 'node:fs/promises'
import t from 'tap'
import { makeClient, password } from '../helper.ts'
import { freshFolder, startServer } from './server-process.ts'

t.test('in production every log line is JSON, without any secret', async (t) => {
  const secrets = { DB_PASSWORD: 'Un1que-database-password', JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K' }
  const env = { ...secrets, NODE_ENV: 'production', COOKIE_SECURE: 'false', BCRYPT_COST: '10' }
  const DATA_DIR = await freshFolder(t)
  await chmod(DATA_DIR, 0o755)
  const server = await startServer(t, { ...env, DATA_DIR })
  const client = makeClient(server.url)
  const json = { username: 'test_account', password }
  t.match(await client.post('v1/accounts', { json }), { statusCode: 201 })
  t.match(await client.post('v1/session', { json: { ...json, password: 'not the pass-word' } }), { statusCode: 401 })
  t.match(await client.get('v1/posts/none?token=Un1que-query'), { statusCode: 404 })
  const cookies = await client.jar.getCookies(server.url)
  t.ok(cookies.length >= 3)
  t.match(await server.kill('SIGTERM'), { code: 0, error: '' })

  const lines = server.out.trimEnd().split('\n')
  const entries = lines.map((line): { msg?: string; status?: number; path?: string } => JSON.parse(line))
  t.ok(entries.some(({ msg }) => msg?.startsWith('Rookery listens on ')))
  t.equal(entries.filter(({ msg }) => msg?.includes('have access to DATA_DIR')).length, 1)
  t.match(
    entries.filter(({ status }) => status !== undefined).map(({ status, path }) => [status, path]),
    [
      [201, '/v1/accounts'],
      [401, '/v1/session'],
      [404, '/v1/posts/none'],
    ],
  )
  const hidden = [
    ...Object.values(secrets),
    password,
    'not the pass-word',
    'Un1que-query',
    ...cookies.map((c) => c.value),
  ]
  for (const secret of hidden) t.notOk(server.out.includes(secret), `not ${secret.slice(0, 9)}…`)
})
