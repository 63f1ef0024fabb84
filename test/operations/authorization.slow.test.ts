import { readFile } from 'node:fs/promises'
import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'

/** The columns of the table in docs/security.md. */
const callers = ['no session', 'session', "other's", 'unconfirmed'] as const
type Caller = (typeof callers)[number]
type Row = { method: string; path: string; expected: Record<Caller, string> }

async function readMatrix(): Promise<Row[]> {
  const text = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8')
  return [...text.matchAll(/^\| `(\w+) (\/\S*)` +\|(.*)\|$/gm)].map(([, method = '', path = '', cells = '']) => {
    const values = cells.split('|').map((cell) => cell.trim())
    const expected = Object.fromEntries(callers.map((caller, n) => [caller, values[n] ?? ''])) as Row['expected'] // each
    return { method, path, expected }
  })
}

const bodies: Record<string, unknown> = {
  'PATCH /v1/account': { bio: 'Hello' },
  'PATCH /v1/posts/{id}': { text: 'Hello' },
  'POST /v1/posts': { text: 'Hello' },
  'POST /v1/session/confirm': { password },
  'PUT /v1/account/password': { currentPassword: password, newPassword: `${password} again` },
  'PUT /v1/posts/{id}/reaction': { value: 'like' },
}

t.test('the table in docs/security.md names every route', async (t) => {
  const { port } = await testServer(t)
  const document = (await ask(port, 'GET', '/openapi.json')).body
  const routes = Object.entries(field(document, 'paths') ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const rows = (await readMatrix()).map(({ method, path }) => `${method} ${path}`)
  t.same(rows.toSorted(), routes.toSorted())
})

t.test('every route admits the callers that the table names', async (t) => {
  const { port, url } = await testServer(t)
  const owner = await signUp(url)
  const post = await owner.client.post<{ id: string }>('v1/posts', { json: { text: 'Hello' } })
  const sessions = await owner.client.get<{ items: { id: string }[] }>('v1/sessions')

  /** A new account, with a post and a session of its own. */
  async function newcomer(isConfirmed: boolean) {
    const { client, username } = await signUp(url)
    const own = await client.post<{ id: string }>('v1/posts', { json: { text: 'Mine' } })
    const second = makeClient(url)
    const login = await second.post<{ session: { id: string } }>('v1/session', { json: { username, password } })
    if (isConfirmed) await client.post('v1/session/confirm', { json: { password } })
    const cookie = await client.jar.getCookieString(url)
    return { cookie, username, post: own.body.id, session: login.body.session.id }
  }

  const readers = { confirmed: await newcomer(true), unconfirmed: await newcomer(false) }
  /** Changes may end the session, or delete what the next request needs. */
  const callerOf = (method: string, caller: Caller) => {
    const isConfirmed = caller !== 'unconfirmed'
    if (method === 'GET' || caller === 'no session') return isConfirmed ? readers.confirmed : readers.unconfirmed
    return newcomer(isConfirmed)
  }

  for (const { method, path, expected } of await readMatrix()) {
    for (const caller of callers) {
      const wanted = expected[caller]
      if (wanted === '–') continue
      const isOther = caller === "other's"
      const own = await callerOf(method, caller)
      const id = path.startsWith('/v1/sessions')
        ? isOther
          ? sessions.body.items[0]?.id
          : own.session
        : isOther
          ? post.body.id
          : own.post
      const isOwnName = path === '/v1/accounts/{username}' && !isOther
      const target = path.replace('{id}', String(id)).replace('{username}', isOwnName ? own.username : owner.username)
      const query = path === '/v1/analytics/reactions' ? '?from=2026-01-01&to=2026-01-02' : ''
      const answer = await ask(port, method, `${target}${query}`, {
        headers: caller === 'no session' ? {} : { cookie: own.cookie },
        json: bodies[`${method} ${path}`] ?? newAccountOrLogin(`${method} ${path}`, own.username),
      })
      const isLetIn = ![401, 403].includes(answer.status) && (answer.status !== 404 || wanted === '404')
      t.equal(isLetIn && wanted === 'yes' ? 'yes' : String(answer.status), wanted, `${method} ${path}: ${caller}`)
      if (wanted === 'yes') t.ok(answer.status < 400, `${method} ${path}: ${caller} gets ${answer.status}`)
    }
  }
})

function newAccountOrLogin(route: string, username: string): unknown {
  if (route === 'POST /v1/session') return { username, password }
  if (route === 'POST /v1/accounts') return { username: `n${username.slice(1)}`, password }
  return undefined
}

t.test('an account’s cookie is of no use for what another one owns', async (t) => {
  const { port, url } = await testServer(t)
  const { username } = await signUp(url)
  const cookie = await cookieOf(port, 'stranger')
  const own = await ask(port, 'GET', '/v1/account', { headers: { cookie } })
  t.equal(field(own.body, 'username'), 'stranger')
  const profile = await ask(port, 'GET', `/v1/accounts/${username}`, { headers: { cookie } })
  t.strictSame(Object.keys(profile.body ?? {}).toSorted(), Object.keys(own.body ?? {}).toSorted())
  t.notMatch(profile.text, /"(ip|userAgent|password|sessions|activity)"/)
})
