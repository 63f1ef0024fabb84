import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'

type Document = { paths: Record<string, Record<string, unknown>> }

const unsafeMethods = ['post', 'put', 'patch', 'delete'] as const

/** Every route with an unsafe method, with ids that do not exist. */
async function unsafeRoutes(url: string) {
  const { body } = await makeClient(url).get<Document>('openapi.json')
  return Object.entries(body.paths).flatMap(([path, item]) =>
    unsafeMethods
      .filter((method) => method in item)
      .map((method) => ({
        method,
        path: path.slice(1).replaceAll(/\{[^}]+\}/g, '00000000-0000-7000-8000-000000000000'),
      })),
  )
}

t.test('cross-site requests', async (t) => {
  const { url, port, db } = await testServer(t)
  const { client } = await signUp(url)
  const routes = await unsafeRoutes(url)
  t.ok(routes.length >= 13, `${routes.length} routes with an unsafe method`)
  const ask = async ({ method, path }: (typeof routes)[number], headers: Record<string, string>) => {
    const { statusCode, body } = await client<{ code?: string }>(path, { method, headers })
    return statusCode === 403 ? body.code : 'passed'
  }
  const foreign = [
    'https://evil.example',
    'null',
    '',
    `https://127.0.0.1:${port}`,
    `http://127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}.evil.example`,
    'http://127.0.0.1',
    `http://127.0.0.2:${port}`,
    `http://127.0.0.1:${port + 1}`,
    `http://127.0.0.1:${port}, https://evil.example`,
    `HTTP://127.0.0.1:${port}`,
  ]
  const ours = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `http://${name}:${port}`)
  const sites = ['same-origin', 'none', 'same-site', 'cross-site', 'else', '']
  // Without a body, requests that pass are refused later and change nothing. A logout would succeed.
  const harmless = routes.filter(({ method, path }) => !(method === 'delete' && path === 'v1/session'))

  t.test('a foreign Origin gets 403 on every route, with any Sec-Fetch-Site', async (t) => {
    for (const route of routes) {
      for (const origin of foreign) t.equal(await ask(route, { origin }), 'cross-site', `${route.method} ${route.path}`)
      for (const site of sites) {
        const headers = { origin: 'https://evil.example', 'sec-fetch-site': site }
        t.equal(await ask(route, headers), 'cross-site', `${route.method} ${route.path} ${site}`)
      }
    }
  })

  t.test('the refusal says which header was wrong, and names PUBLIC_ORIGIN', async (t) => {
    const told: Readonly<Record<string, Record<string, string>>> = {
      'Cross-site request blocked: Origin is not in PUBLIC_ORIGIN. Use an origin that is, or have the operator add it.':
        { origin: 'https://evil.example' },
      'Cross-site request blocked: Sec-Fetch-Site is not same-origin or none. Send it from a page of an origin in PUBLIC_ORIGIN.':
        { 'sec-fetch-site': 'cross-site' },
    }
    for (const [detail, headers] of Object.entries(told)) {
      const response = await client.post('v1/posts', { headers, json: { text: 'of another site' } })
      t.match(response, { statusCode: 403, body: { code: 'cross-site', detail } })
    }
  })

  t.test('without Origin, Sec-Fetch-Site decides; without either the request passes', async (t) => {
    for (const route of harmless) {
      for (const site of sites) {
        const answer = await ask(route, { 'sec-fetch-site': site })
        const passes = site === 'same-origin' || site === 'none'
        t.equal(answer === 'cross-site', !passes, `${route.method} ${route.path} ${site}`)
      }
      t.not(await ask(route, {}), 'cross-site', `${route.method} ${route.path}`)
    }
  })

  t.test('an Origin of this server passes, with any Sec-Fetch-Site', async (t) => {
    for (const route of harmless) {
      for (const origin of ours) t.not(await ask(route, { origin }), 'cross-site', `${route.method} ${origin}`)
      t.not(await ask(route, { origin: `http://localhost:${port}`, 'sec-fetch-site': 'same-site' }), 'cross-site')
    }
  })

  t.test('Host, Forwarded and X-Forwarded-* do not affect the check', async (t) => {
    const host = 'evil.example'
    const claims = {
      host,
      forwarded: `host=${host};proto=https`,
      'x-forwarded-host': host,
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
    }
    for (const route of harmless) {
      t.equal(await ask(route, { ...claims, origin: `https://${host}` }), 'cross-site')
      t.equal(await ask(route, { ...claims, origin: `http://${host}` }), 'cross-site')
      t.not(await ask(route, { ...claims, origin: ours[0] ?? '' }), 'cross-site')
      t.not(await ask(route, { 'x-forwarded-host': host }), 'cross-site')
    }
  })

  t.test('cross-site reads pass without CORS headers, and refused requests wrote nothing', async (t) => {
    for (const path of ['v1/posts', 'v1/session', 'openapi.json']) {
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
      const { statusCode, headers: answered } = await client.get(path, { headers })
      t.equal(statusCode, 200, path)
      const cors = Object.keys(answered).filter((name) => name.startsWith('access-control-'))
      t.same(cors, [], 'no CORS header: a foreign page cannot read the response')
    }
    const preflight = await client('v1/posts', { method: 'OPTIONS', headers: { origin: 'https://evil.example' } })
    t.notOk('access-control-allow-origin' in preflight.headers)
    t.equal(await db.collection('posts').countDocuments(), 0)
  })

  t.test('the check precedes authentication and body parsing', async (t) => {
    const headers = { origin: 'https://evil.example', 'content-type': 'text/plain' }
    const { statusCode, body } = await makeClient(url).post('v1/posts', { headers, body: '{' })
    t.equal(statusCode, 403)
    t.match(body, { code: 'cross-site' })
  })
})

t.test('with PUBLIC_ORIGIN only the listed origins pass', async (t) => {
  const { url, port } = await testServer(t, { PUBLIC_ORIGIN: 'https://rookery.example, http://localhost:8080' })
  const logIn = async (origin: string) => {
    const json = { username: 'unknown', password }
    return (await makeClient(url).post('v1/session', { json, headers: { origin } })).statusCode
  }
  for (const origin of ['https://rookery.example', 'http://localhost:8080']) t.equal(await logIn(origin), 401, origin)
  const others = ['http://rookery.example', 'https://rookery.example:8443', 'https://a.rookery.example']
  for (const origin of [...others, `http://127.0.0.1:${port}`, `http://localhost:${port}`, 'null']) {
    t.equal(await logIn(origin), 403, origin)
  }
})
