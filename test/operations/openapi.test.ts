import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'
import { operationIds } from './operation-ids.ts'

type Operation = {
  operationId?: string
  summary?: string
  tags?: string[]
  parameters?: { name: string }[]
  requestBody?: { content: Record<string, { example?: unknown }> }
  security?: Record<string, string[]>[]
  responses: Record<
    string,
    {
      description?: string
      content?: Record<string, unknown>
      headers?: Record<string, { $ref: string }>
      links?: Record<string, { operationId: string; parameters: Record<string, string> }>
    }
  >
}

const everyStatus = ['400', '408', '414', '431', '500', '503']
/** The statuses of each route by the contract's tables, in addition to those of every route. */
const routes: Record<string, string> = {
  'POST /v1/accounts': '201 403 409 413 415 429',
  'GET /v1/accounts/{username}': '200 404 429',
  'GET /v1/accounts/{username}/posts': '200 404 429',
  'GET /v1/account': '200 401 403 429',
  'PATCH /v1/account': '200 401 403 413 415 429',
  'PUT /v1/account/password': '204 401 403 413 415 429',
  'GET /v1/account/email': '200 401 403 429',
  'PUT /v1/account/email': '202 401 403 413 415 429',
  'DELETE /v1/account/email': '204 401 403 413 415 429',
  'POST /v1/email-verification': '204 403 404 413 415 429',
  'POST /v1/password-reset': '202 403 413 415 429',
  'POST /v1/password-reset/confirm': '204 401 403 413 415 429',
  'GET /v1/account/activity': '200 401 403 429',
  'GET /v1/account/export': '200 401 403 429',
  'GET /v1/account/reactions': '200 401 403 429',
  'DELETE /v1/account': '204 401 403 413 415 429',
  'GET /v1/accounts/{username}/followers': '200 404 429',
  'GET /v1/accounts/{username}/following': '200 404 429',
  'PUT /v1/accounts/{username}/follow': '204 401 403 404 413 415 429',
  'DELETE /v1/accounts/{username}/follow': '204 401 403 404 413 415 429',
  'POST /v1/session': '200 401 403 413 415 429',
  'POST /v1/session/second-factor': '200 401 403 413 415 429',
  'GET /v1/session': '200 401 429',
  'DELETE /v1/session': '204 401 403 413 415 429',
  'POST /v1/session/confirm': '200 401 403 413 415 429',
  'POST /v1/session/confirm/options': '200 401 403 404 413 415 429',
  'POST /v1/session/passkey': '200 401 403 413 415 429',
  'POST /v1/session/passkey/options': '200 403 413 415',
  'POST /v1/session/refresh': '200 401 403 413 415 429',
  'GET /v1/sessions': '200 401 403 429',
  'DELETE /v1/sessions': '204 401 403 413 415 429',
  'DELETE /v1/sessions/{id}': '204 401 403 404 413 415 429',
  'POST /v1/passkeys/options': '200 401 403 413 415 429',
  'POST /v1/passkeys': '201 401 403 413 415 429',
  'GET /v1/passkeys': '200 401 403 429',
  'PATCH /v1/passkeys/{id}': '200 401 403 404 413 415 429',
  'DELETE /v1/passkeys/{id}': '204 401 403 404 413 415 429',
  'GET /v1/devices': '200 401 403 429',
  'DELETE /v1/devices': '204 401 403 413 415 429',
  'PATCH /v1/devices/{id}': '200 401 403 404 413 415 429',
  'DELETE /v1/devices/{id}': '204 401 403 404 413 415 429',
  'GET /v1/second-factor': '200 401 403 429',
  'POST /v1/second-factor/totp': '201 401 403 413 415 429',
  'POST /v1/second-factor/totp/confirm': '200 401 403 404 413 415 429',
  'DELETE /v1/second-factor/totp': '204 401 403 413 415 429',
  'POST /v1/second-factor/recovery-codes': '200 401 403 404 413 415 429',
  'POST /v1/posts': '201 401 403 404 409 413 415 429',
  'GET /v1/posts': '200 429',
  'GET /v1/posts/{id}': '200 404 429',
  'PATCH /v1/posts/{id}': '200 401 403 404 413 415 429',
  'DELETE /v1/posts/{id}': '204 401 403 404 413 415 429',
  'PUT /v1/posts/{id}/reaction': '200 401 403 404 413 415 429',
  'DELETE /v1/posts/{id}/reaction': '200 401 403 404 413 415 429',
  'GET /v1/posts/{id}/reactions': '200 404 429',
  'GET /v1/posts/{id}/replies': '200 404 429',
  'GET /v1/pulse': '200 429',
  'GET /v1/stream': '200 401 429',
  'GET /v1/timeline': '200 401 403 429',
  'GET /v1/analytics/reactions': '200 401 403 429',
  'GET /health/live': '200',
  'GET /health/ready': '200',
  'GET /health/database': '200',
  'GET /': '200 304 429',
  'GET /openapi.json': '200 304 429',
  'GET /.well-known/jwks.json': '200 304 429',
}
/** The media types of responses that are not application/json. */
const mediaTypes: Record<string, string[]> = {
  'GET /v1/account/export': ['application/x-ndjson'],
  'GET /v1/stream': ['text/event-stream'],
  'GET /.well-known/jwks.json': ['application/jwk-set+json'],
  'GET /': ['application/json', 'text/html'],
}
/** What a session that a one-time password began may do. */
const forOneTimeSessions = ['GET /v1/session', 'PUT /v1/account/password']
const open =
  /^(GET \/v1\/(posts|accounts|stream|pulse)|POST \/v1\/(accounts$|email-verification|password-reset)|(POST|DELETE) \/v1\/session(\/refresh|\/second-factor|\/passkey|\/passkey\/options)?$|GET \/(?!v1))/

t.test('the OpenAPI document', async (t) => {
  const { port } = await testServer(t)
  const document = (await ask(port, 'GET', '/openapi.json')).body
  const operations = new Map<string, Operation>()
  for (const [path, methods] of Object.entries(field(document, 'paths') ?? {})) {
    for (const [method, operation] of Object.entries<Operation>(methods)) {
      operations.set(`${method.toUpperCase()} ${path}`, operation)
    }
  }

  t.test('it is OpenAPI 3.1 and names the access cookie', async (t) => {
    t.equal(field(document, 'openapi'), '3.1.0')
    t.match(field(document, 'components'), {
      securitySchemes: { session: { type: 'apiKey', in: 'cookie', name: 'session' } },
    })
    const secure = await testServer(t, { COOKIE_SECURE: 'true', PUBLIC_ORIGIN: 'https://rookery.example' })
    t.match((await ask(secure.port, 'GET', '/openapi.json')).body, {
      components: { securitySchemes: { session: { name: '__Host-session' } } },
    })
  })

  t.test('it has every route with every status', async (t) => {
    for (const [route, own] of Object.entries(routes)) {
      const { responses = {}, summary, security } = operations.get(route) ?? {}
      t.same(Object.keys(responses).sort(), [...everyStatus, ...own.split(' ')].sort(), route)
      t.match(summary, /^[A-Z][^.]+$/, `${route} has a summary without a period`)
      const optional = route.startsWith('GET /v1/') ? [{}, { session: [] }] : []
      t.same(security, open.test(route) ? optional : [{ session: [] }], `security of ${route}`)
      const isRestricted = !open.test(route) && !forOneTimeSessions.includes(route)
      t.equal(/password-change-required/.test(responses['403']?.description ?? ''), isRestricted, `${route} 403`)
      t.equal(/outcome-unknown/.test(responses['503']?.description ?? ''), !route.startsWith('GET'), `${route} 503`)
      for (const [status, { content }] of Object.entries(responses)) {
        const types = status >= '400' ? ['application/problem+json'] : (mediaTypes[route] ?? ['application/json'])
        t.same(Object.keys(content ?? {}), ['202', '204', '304'].includes(status) ? [] : types, `${route} ${status}`)
      }
    }
    // A new route must be added to the table above.
    t.same([...operations.keys()].sort(), Object.keys(routes).sort())
  })

  t.test('every operation has the operationId that generated clients know it by', async (t) => {
    const found = Object.fromEntries([...operations].map(([route, { operationId }]) => [route, operationId]))
    t.same(found, operationIds)
    for (const id of Object.values(operationIds)) t.match(id, /^[a-z]+([A-Z][a-z]+)+$/, 'verb and noun')
  })

  t.test('what may be null has a type list, and a date no pattern', async (t) => {
    const text = JSON.stringify(document)
    t.notMatch(text, /"anyOf"|"nullable"/)
    t.notMatch(text, /"format":"date","pattern"|"pattern":"[^"]*","format":"date"/)
    const schemas = field(field(document, 'components'), 'schemas')
    const properties = field(field(schemas, 'Post'), 'properties')
    t.match(field(properties, 'editedAt'), { type: ['string', 'null'], format: 'date-time' })
    t.match(field(properties, 'viewer'), {
      type: ['object', 'null'],
      properties: { reaction: { type: ['string', 'null'], enum: ['like', 'dislike', null] } },
    })
  })

  t.test('its server is where it is, and its tags lead from accounts to operations', async (t) => {
    t.match(field(document, 'servers'), [{ url: '/' }])
    const tags = [field(document, 'tags') ?? []].flat()
    const names = tags.map((tag) => field(tag, 'name'))
    t.same(names, [
      'accounts',
      'sessions',
      'passkeys',
      'second factor',
      'posts',
      'reactions',
      'follows',
      'analytics',
      'operations',
    ])
    for (const tag of tags) t.match(field(tag, 'description'), /^[A-Z].*\.$/)
    for (const [route, operation] of operations) t.ok(names.includes(operation.tags?.[0]), route)
  })

  t.test('every response describes its headers', async (t) => {
    const headersOf = (route: string, status: string) =>
      Object.keys(operations.get(route)?.responses[status]?.headers ?? {}).filter((name) => name !== 'x-request-id')
    for (const [route, { responses }] of operations)
      for (const [status, { headers }] of Object.entries(responses))
        t.equal(headers?.['x-request-id']?.$ref, '#/components/headers/x-request-id', `${route} ${status}`)
    const limit = ['ratelimit', 'ratelimit-policy']
    t.same(headersOf('POST /v1/accounts', '201'), ['location', 'set-cookie', ...limit])
    t.same(headersOf('POST /v1/posts', '201'), ['location', 'idempotency-replayed', ...limit])
    t.same(headersOf('POST /v1/posts', '429'), ['retry-after', ...limit])
    t.same(headersOf('POST /v1/posts', '503'), ['retry-after'])
    t.same(headersOf('POST /v1/posts', '401'), ['www-authenticate'])
    t.same(headersOf('GET /v1/posts', '200'), ['rookery-session', ...limit])
    t.same(headersOf('DELETE /v1/session', '204'), ['set-cookie', 'clear-site-data', ...limit])
    t.same(headersOf('GET /v1/account/export', '200'), ['content-disposition', ...limit])
    t.same(headersOf('GET /openapi.json', '304'), ['etag', ...limit])
    t.notMatch(JSON.stringify(document), /x-response-headers/)
  })

  t.test('links lead from a new account, post or page to what can be done with it', async (t) => {
    const linksOf = (route: string, status: string) => operations.get(route)?.responses[status]?.links ?? {}
    t.match(linksOf('POST /v1/accounts', '201'), {
      readAccount: { operationId: 'readAccount', parameters: { username: '$response.body#/username' } },
      followAccount: {},
      listFollowers: {},
    })
    t.same(
      Object.keys(linksOf('POST /v1/posts', '201')).sort(),
      [...operations].flatMap(([route, { operationId }]) => (/\/posts\/\{/.test(route) ? [operationId] : [])).sort(),
    )
    t.match(linksOf('GET /v1/sessions', '200'), {
      endSessionById: { parameters: { id: '$response.body#/items/0/id' } },
    })
    for (const [route, { operationId, parameters = [] }] of operations) {
      const next = linksOf(route, '200').nextPage
      if (!parameters.some(({ name }) => name === 'cursor')) t.equal(next, undefined, route)
      else t.match(next, { operationId, parameters: { cursor: '$response.body#/nextCursor' } }, route)
    }
  })

  t.test('every request body has an example, and the server accepts it', async (t) => {
    const examples = new Map<string, object>()
    for (const [route, { operationId = route, requestBody }] of operations) {
      if (!requestBody) continue
      const { example } = requestBody.content['application/json'] ?? {}
      t.type(example, 'object', route)
      examples.set(operationId, example ?? {})
    }
    const signedUp = await ask(port, 'POST', '/v1/accounts', { json: examples.get('createAccount') })
    t.equal(signedUp.status, 201, signedUp.text)
    const cookie = [signedUp.headers['set-cookie'] ?? []].flat().map((text) => text.split(';')[0])
    const headers = { cookie: cookie.join('; ') }
    const post = await ask(port, 'POST', '/v1/posts', { headers, json: examples.get('createPost') })
    t.equal(post.status, 201)
    for (const [method, path, id] of [
      ['PATCH', post.headers.location, 'editPost'],
      ['PUT', `${post.headers.location}/reaction`, 'setReaction'],
      ['PATCH', '/v1/account', 'editProfile'],
      ['POST', '/v1/session', 'createSession'],
    ] as const)
      t.equal((await ask(port, method, path ?? '', { headers, json: examples.get(id) })).status, 200, id)
  })

  t.test('every reference resolves, and every path parameter is described', async (t) => {
    const text = JSON.stringify(document)
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/(\w+\/[^"]+)"/g)) {
      const [kind = '', key = ''] = name?.split('/') ?? []
      t.ok(field(field(field(document, 'components'), kind), key), `component ${name}`)
    }
    for (const [route, operation] of operations) {
      const described = [field(operation, 'parameters') ?? []].flat()
      const inPath = described
        .filter((parameter) => field(parameter, 'in') === 'path')
        .map((parameter) => field(parameter, 'name'))
      t.same(
        inPath,
        [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        route,
      )
    }
    t.notMatch(text, /passw[^"]*hash|Bearer|JWT_SIGN_KEY/)
  })

  t.test('responses have only the documented statuses', async (t) => {
    const cookie = await cookieOf(port, 'ann')
    const gone = '01890000-0000-7000-8000-000000000000'
    for (const [route, { responses }] of operations) {
      const [method = '', path = ''] = route.split(' ')
      const url = path.replace('{username}', 'no_account').replace('{id}', gone)
      const evil = { cookie, origin: 'https://evil.example' }
      const requests = [{}, { headers: evil }, { json: {} }, { headers: evil, json: {} }, { body: 'x' }]
      for (const options of [...requests, { headers: { cookie }, json: { text: 'x' } }]) {
        const { status } = await ask(port, method, url, options)
        t.ok(responses[status], `${route} answers ${status}`)
      }
    }
  })
})

t.test('/docs loads assets from its own origin only', async (t) => {
  const { port } = await testServer(t)
  for (const start of ['/docs', '/docs/']) {
    const page = await ask(port, 'GET', start)
    t.match(page, {
      status: 200,
      headers: { 'content-type': /^text\/html/, 'content-security-policy': /script-src 'self';/ },
    })
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '')
    const assets = links.filter((url) => url !== 'data:,')
    t.ok(assets.length >= 4, `${assets.length} assets`)
    for (const asset of assets) {
      const { pathname, host } = new URL(asset, `http://rookery${start}`)
      t.equal(host, 'rookery', 'no asset from another origin')
      t.match(await ask(port, 'GET', pathname), { status: 200, text: /./ }, pathname)
    }
    const inline = /<script(?![^>]*src=)[^>]*>|\son\w+=|<style|\sstyle=/
    t.notMatch(page.text, inline, 'no inline script or style, which the content security policy would block')
    const policy = String(page.headers['content-security-policy'])
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;/)
    t.notMatch(policy, /unsafe|sha256|\*|https?:/)
  }
})

t.test('the document and the page’s files are compressed on request, and 304 for a client that has them', async (t) => {
  const { port, url } = await testServer(t)
  for (const [path, cacheControl, type] of [
    ['/openapi.json', 'no-cache', 'application/json; charset=utf-8'],
    ['/docs/static/swagger-ui-bundle.js', 'public, max-age=3600', 'text/javascript; charset=utf-8'],
    ['/docs/static/swagger-ui.css', 'public, max-age=3600', 'text/css; charset=utf-8'],
  ] as const) {
    const plain = await ask(port, 'GET', path)
    const head = { 'cache-control': cacheControl, 'content-type': type, vary: 'Accept-Encoding' }
    t.match(plain, { status: 200, headers: { ...head, 'content-encoding': undefined, etag: /^"[\w-]{43}"$/ } }, path)
    const etags = [plain.headers.etag ?? '']
    for (const accepted of ['gzip', 'br, GZIP;q=0.5', '*', 'identity;q=0, *;q=0.1', 'x-gzip']) {
      const headers = { 'accept-encoding': accepted }
      const { headers: sent } = await ask(port, 'HEAD', path, { headers })
      t.match(sent, { ...head, 'content-encoding': 'gzip', etag: /^"[\w-]{43}-gzip"$/ }, accepted)
      t.ok(Number(sent['content-length']) < plain.text.length / 3, `${path}: ${sent['content-length']} bytes`)
      etags[1] = sent.etag ?? ''
    }
    for (const refused of ['', 'br', 'gzip;q=0', 'gzip; q=0.000, *', '*;q=0'])
      t.notOk(
        (await ask(port, 'HEAD', path, { headers: { 'accept-encoding': refused } })).headers['content-encoding'],
        refused,
      )
    // fetch decompresses.
    t.equal(await (await fetch(url + path, { headers: { 'accept-encoding': 'gzip' } })).text(), plain.text, path)
    for (const [coding, tag] of [
      ['identity', etags[0]],
      ['gzip', etags[1]],
      ['gzip', `"x", W/${etags[1]}`],
      ['br', '*'],
    ]) {
      const headers = { 'accept-encoding': coding ?? '', 'if-none-match': tag ?? '' }
      t.match(await ask(port, 'GET', path, { headers }), { status: 304, text: '' }, `${path}: ${coding}, ${tag}`)
    }
    const stale = { 'accept-encoding': 'identity', 'if-none-match': etags[1] ?? '' }
    t.equal((await ask(port, 'GET', path, { headers: stale })).status, 200, 'each coding has its own tag')
  }
})

t.test('the document exists once: not as /docs/json and /docs/yaml, too', async (t) => {
  const { port } = await testServer(t)
  for (const path of ['/docs/json', '/docs/yaml', '/docs/static/index.html', '/docs/static/logo.svg'])
    t.equal((await ask(port, 'GET', path)).status, 404, path)
})

t.test('with DOCS=false there is no page, and the document remains', async (t) => {
  const { port } = await testServer(t, { DOCS: 'false' })
  for (const path of [
    '/docs',
    '/docs/',
    '/docs/static/index.html',
    '/docs/static/swagger-ui.css',
    '/docs/json',
    '/readme',
  ])
    t.match(await ask(port, 'GET', path), { status: 404, body: { code: 'not-found' } }, path)
  t.equal((await ask(port, 'GET', '/openapi.json')).status, 200)
})
