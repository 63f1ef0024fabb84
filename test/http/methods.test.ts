import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, expectProblem, field, rawText } from './wire.ts'

const everyMethod = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'QUERY',
  'PROPFIND',
  'M-SEARCH',
]

t.test('HTTP methods', { timeout: 120_000 }, async (t) => {
  const { port, app } = await testServer(t)
  const document = (await ask(port, 'GET', '/openapi.json')).body
  const paths = Object.entries(field(document, 'paths') ?? {})

  t.test('each URL answers unsupported methods with 405 and lists the supported ones in Allow', async (t) => {
    t.ok(paths.length > 12)
    for (const [path, operations] of [...paths, ['/docs', { get: {} }] as const]) {
      const allowed = Object.keys(operations).map((method) => method.toUpperCase())
      if (allowed.includes('GET')) allowed.push('HEAD')
      const url = path.replace(/\{\w+\}/g, 'xyz')
      for (const method of everyMethod.filter((name) => !allowed.includes(name))) {
        const answer = await ask(port, method, url)
        t.equal(answer.status, 405, `${method} ${path}`)
        t.same(String(answer.headers.allow).split(', ').sort(), allowed.toSorted(), `Allow of ${path}`)
        if (method !== 'HEAD') t.equal(field(answer.body, 'code'), 'method-not-allowed')
      }
    }
    expectProblem(t, await ask(port, 'PUT', '/v1/posts'), 'method-not-allowed')
  })

  t.test('an unknown URL is 404 for every method', async (t) => {
    for (const method of everyMethod) {
      const answer = await ask(port, method, '/nowhere', { headers: { 'content-type': 'nonsense' }, body: 'x' })
      t.equal(answer.status, 404, method)
      t.notOk('allow' in answer.headers)
      if (method !== 'HEAD') expectProblem(t, answer, 'not-found', method)
    }
    t.equal(app.hasRoute({ method: 'GET', url: '/nowhere' }), false)
  })

  t.test('HEAD answers like GET without the body, errors included', async (t) => {
    const urls = ['/v1/posts', '/v1/posts/xyz', '/v1/account', '/v1/posts?limit=0', '/nowhere', '/health/live', '/docs']
    for (const url of [...urls, '/v1/posts/%zz']) {
      const [get, head] = await Promise.all([ask(port, 'GET', url), ask(port, 'HEAD', url)])
      t.equal(head.status, get.status, url)
      t.equal(head.text, '')
      for (const name of ['content-type', 'cache-control', 'vary', 'content-length', 'content-security-policy']) {
        t.equal(head.headers[name], get.headers[name], `${name} of ${url}`)
      }
    }
    const text = await rawText(port, 'HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live HTTP/1.0\r\n\r\n')
    t.match(text.split('\r\n\r\n')[1], /^HTTP\/1\.1 200 /, 'the next response follows without a body in between')
  })

  t.test('no CORS preflight succeeds', async (t) => {
    const headers = {
      origin: 'https://evil.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
      'access-control-request-private-network': 'true',
    }
    for (const url of ['/v1/posts', '/v1/session', '/nowhere', '/openapi.json', '/health/live']) {
      for (const method of ['OPTIONS', 'GET', 'HEAD']) {
        const answer = await ask(port, method, url, { headers })
        if (method === 'OPTIONS') t.ok([404, 405].includes(answer.status), `${method} ${url}`)
        t.notOk(
          Object.keys(answer.headers).some((name) => name.startsWith('access-control-')),
          `${method} ${url}`,
        )
      }
    }
  })
})
