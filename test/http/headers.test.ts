import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, cookieOf, field, raw, type Wish } from './wire.ts'

const gone = '/v1/posts/01890000-0000-7000-8000-000000000000'

t.test('headers of every response', async (t) => {
  const { port } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const created = await ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: 'x' } })
  const post = `/v1/posts/${field(created.body, 'id')}`

  t.test('helmet’s, fitted to an API; nothing that names us, nothing of CORS', async (t) => {
    const asked: [string, string, Wish?][] = [
      ['GET', '/v1/posts'],
      ['GET', post, { headers: { cookie, origin: 'https://evil.example' } }],
      ['GET', '/v1/account'],
      ['POST', '/v1/session', { json: {} }],
      ['DELETE', '/v1/session'],
      ['POST', '/v1/session', { headers: { origin: 'https://evil.example' }, json: {} }],
      ['OPTIONS', '/v1/posts', { headers: { origin: 'http://localhost' } }],
      ['GET', '/nowhere'],
      ['GET', '/v1/posts/%zz'],
      ['GET', `/v1/posts/${'x'.repeat(200)}`],
      ['GET', `/${'x'.repeat(5_000)}`],
      ['GET', '/', { headers: { 'x-padding': 'x'.repeat(20_000) } }],
      ['POST', '/v1/session', { headers: { expect: 'a-miracle' }, json: {} }],
      ['GET', '/health/live'],
      ['GET', '/openapi.json'],
      ['GET', '/.well-known/jwks.json'],
    ]
    for (const [method, path, wish] of asked) {
      const { headers } = await ask(port, method, path, wish)
      const name = `${method} ${path.slice(0, 30)}`
      t.match(
        headers,
        {
          'content-security-policy': "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
          'cross-origin-resource-policy': 'same-origin',
          'referrer-policy': 'no-referrer',
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
          'x-request-id': /^[0-9a-f-]{36}$/,
        },
        name,
      )
      for (const banned of ['server', 'x-powered-by', 'strict-transport-security', 'etag']) {
        t.notOk(banned in headers, `no ${banned}: ${name}`)
      }
      t.notOk(
        Object.keys(headers).some((header) => header.startsWith('access-control-')),
        `no CORS: ${name}`,
      )
    }
  })

  t.test('x-request-id is the server’s own and no other’s', async (t) => {
    const ids = new Set<unknown>()
    for (const name of ['x-request-id', 'request-id', 'x-correlation-id', 'traceparent', 'x-amzn-trace-id']) {
      const { headers } = await ask(port, 'GET', '/health/live', { headers: { [name]: 'mine' } })
      t.not(headers['x-request-id'], 'mine', name)
      ids.add(headers['x-request-id'])
    }
    for (const { headers } of await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n')) {
      ids.add(headers['x-request-id'])
    }
    t.ok(ids.size >= 6, 'each its own')
  })

  t.test('what may hold a viewer is private and varies by cookie; all else is kept nowhere', async (t) => {
    const viewed = ['/v1/posts', post, gone, `${post}/reactions`, '/v1/accounts/ann', '/v1/accounts/ann/posts']
    for (const path of [...viewed, '/v1/accounts/nobody', '/v1/posts?limit=0', '/v1/posts/no-id']) {
      for (const headers of [{}, { cookie }]) {
        const answer = await ask(port, 'GET', path, { headers })
        t.match(answer.headers, { 'cache-control': 'private, no-cache', vary: 'Cookie' }, path)
      }
    }
    for (const path of ['/v1/account', '/v1/session', '/v1/sessions', '/nowhere', '/health/ready']) {
      for (const headers of [{}, { cookie }]) {
        t.equal((await ask(port, 'GET', path, { headers })).headers['cache-control'], 'no-store', path)
      }
    }
    const changes = [await ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: 'x' } })]
    changes.push(await ask(port, 'PUT', `${post}/reaction`, { headers: { cookie }, json: { value: 'like' } }))
    changes.push(await ask(port, 'DELETE', `${post}/reaction`, { headers: { cookie } }))
    changes.push(await ask(port, 'DELETE', '/v1/session'))
    for (const { headers } of changes) t.equal(headers['cache-control'], 'no-store')
  })

  t.test('a cookie that is not valid counts as none on a public read, and a header says so', async (t) => {
    const good = await ask(port, 'GET', post, { headers: { cookie } })
    t.same(field(good.body, 'viewer'), { reaction: null })
    t.notOk('rookery-session' in good.headers)
    const none = await ask(port, 'GET', post)
    t.equal(field(none.body, 'viewer'), null)
    t.notOk('rookery-session' in none.headers)
    const session = /session=([^;]+)/.exec(cookie)?.[1] ?? ''
    const [head, payload, signature] = session.split('.')
    const unsigned = Buffer.from('{"alg":"none","typ":"rookery+jwt"}').toString('base64url')
    const bad = ['', 'x', 'a.b.c', `${head}.${payload}.`, `${unsigned}.${payload}.`, `${head}.${payload}.x${signature}`]
    for (const token of bad) {
      const answer = await ask(port, 'GET', post, { headers: { cookie: `session=${token}` } })
      t.match(answer, { status: 200, headers: { 'rookery-session': 'invalid' } }, token.slice(0, 20))
      t.equal(field(answer.body, 'viewer'), null)
    }
    const bearer = await ask(port, 'GET', '/v1/account', { headers: { authorization: `Bearer ${session}` } })
    t.equal(bearer.status, 401, 'the cookie is the only carrier')
  })
})

t.test('with COOKIE_SECURE every response says HSTS, errors on the bare socket too', async (t) => {
  const { port } = await testServer(t, { COOKIE_SECURE: 'true', PUBLIC_ORIGIN: 'https://rookery.example' })
  const answers = [
    await ask(port, 'GET', '/v1/posts'),
    await ask(port, 'GET', '/v1/%zz'),
    await ask(port, 'GET', '/docs'),
  ]
  answers.push(...(await raw(port, 'nonsense\r\n\r\n')))
  t.equal(answers.length, 4)
  for (const { headers } of answers) {
    t.equal(headers['strict-transport-security'], 'max-age=63072000; includeSubDomains')
  }
})
