import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'

type Document = { paths: Record<string, Record<string, unknown>> }

const harmful = ['post', 'put', 'patch', 'delete'] as const

/** Every route that changes something, with ids that name nothing. */
async function changes(url: string) {
  const { body } = await makeClient(url).get<Document>('openapi.json')
  return Object.entries(body.paths).flatMap(([path, item]) =>
    harmful
      .filter((method) => method in item)
      .map((method) => ({
        method,
        path: path.slice(1).replaceAll(/\{[^}]+\}/g, '00000000-0000-7000-8000-000000000000'),
      })),
  )
}

t.test('changes that another site makes a browser send', async (t) => {
  const { url, port, db } = await testServer(t)
  const { client } = await signUp(url)
  const routes = await changes(url)
  t.ok(routes.length >= 13, `${routes.length} routes that change something`)
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
  // No body is sent where one is taken, so that what passes is refused later and changes nothing.
  const silent = routes.filter(({ method, path }) => !(method === 'delete' && path === 'v1/session'))

  t.test('a foreign Origin is refused on every route, whatever Sec-Fetch-Site says', async (t) => {
    for (const route of routes) {
      for (const origin of foreign) t.equal(await ask(route, { origin }), 'cross-site', `${route.method} ${route.path}`)
      for (const site of sites) {
        const headers = { origin: 'https://evil.example', 'sec-fetch-site': site }
        t.equal(await ask(route, headers), 'cross-site', `${route.method} ${route.path} ${site}`)
      }
    }
  })

  t.test('without an Origin Sec-Fetch-Site decides, and without either it passes', async (t) => {
    for (const route of silent) {
      for (const site of sites) {
        const answer = await ask(route, { 'sec-fetch-site': site })
        const passes = site === 'same-origin' || site === 'none'
        t.equal(answer === 'cross-site', !passes, `${route.method} ${route.path} ${site}`)
      }
      t.not(await ask(route, {}), 'cross-site', `${route.method} ${route.path}`)
    }
  })

  t.test('an Origin of this server passes, whatever Sec-Fetch-Site says', async (t) => {
    for (const route of silent) {
      for (const origin of ours) t.not(await ask(route, { origin }), 'cross-site', `${route.method} ${origin}`)
      t.not(await ask(route, { origin: `http://localhost:${port}`, 'sec-fetch-site': 'same-site' }), 'cross-site')
    }
  })

  t.test('Host, Forwarded and X-Forwarded-* change nothing', async (t) => {
    const host = 'evil.example'
    const claims = {
      host,
      forwarded: `host=${host};proto=https`,
      'x-forwarded-host': host,
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
    }
    for (const route of silent) {
      t.equal(await ask(route, { ...claims, origin: `https://${host}` }), 'cross-site')
      t.equal(await ask(route, { ...claims, origin: `http://${host}` }), 'cross-site')
      t.not(await ask(route, { ...claims, origin: ours[0] ?? '' }), 'cross-site')
      t.not(await ask(route, { 'x-forwarded-host': host }), 'cross-site')
    }
  })

  t.test('reading is for everyone, and nothing was changed by what was refused', async (t) => {
    for (const path of ['v1/posts', 'v1/session', 'openapi.json']) {
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
      const { statusCode, headers: answered } = await client.get(path, { headers })
      t.equal(statusCode, 200, path)
      const cors = Object.keys(answered).filter((name) => name.startsWith('access-control-'))
      t.same(cors, [], 'but a foreign page is not shown it')
    }
    const preflight = await client('v1/posts', { method: 'OPTIONS', headers: { origin: 'https://evil.example' } })
    t.notOk('access-control-allow-origin' in preflight.headers)
    t.equal(await db.collection('posts').countDocuments(), 0)
  })

  t.test('it comes before 401 and before the body is looked at', async (t) => {
    const headers = { origin: 'https://evil.example', 'content-type': 'text/plain' }
    const { statusCode, body } = await makeClient(url).post('v1/posts', { headers, body: '{' })
    t.equal(statusCode, 403)
    t.match(body, { code: 'cross-site' })
  })
})

t.test('PUBLIC_ORIGIN names the origins, and only those', async (t) => {
  const { url, port } = await testServer(t, { PUBLIC_ORIGIN: 'https://rookery.example, http://localhost:8080' })
  const logIn = async (origin: string) => {
    const json = { username: 'nobody', password }
    return (await makeClient(url).post('v1/session', { json, headers: { origin } })).statusCode
  }
  for (const origin of ['https://rookery.example', 'http://localhost:8080']) t.equal(await logIn(origin), 401, origin)
  const others = ['http://rookery.example', 'https://rookery.example:8443', 'https://a.rookery.example']
  for (const origin of [...others, `http://127.0.0.1:${port}`, `http://localhost:${port}`, 'null']) {
    t.equal(await logIn(origin), 403, origin)
  }
})
