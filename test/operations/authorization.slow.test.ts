import { readFile } from 'node:fs/promises'
import t from 'tap'
import { exampleRegistration } from '../../src/passkeys/browser-responses.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'
import type { Authenticator, Creation, Request } from '../passkeys/authenticator.ts'
import { passkeyEnv, passkeyUser } from '../passkeys/ceremonies.ts'
import { beginEnrolment, codeOf, enrol, firstStep } from '../second-factor/authenticator.ts'

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
  'PATCH /v1/passkeys/{id}': { name: 'Mine' },
  'POST /v1/session/passkey/options': {},
  'PATCH /v1/account': { bio: 'Hello' },
  'POST /v1/second-factor/totp/confirm': { code: '123456' },
  'PATCH /v1/devices/{id}': { name: 'Mine' },
  'PATCH /v1/posts/{id}': { text: 'Hello' },
  'POST /v1/posts': { text: 'Hello' },
  'POST /v1/session/confirm': { password },
  'POST /v1/email-verification': { token: 'unknown' },
  'POST /v1/password-reset': { username: 'no_such_account' },
  'POST /v1/password-reset/confirm': { token: 'unknown', newPassword: `${password} again` },
  'PUT /v1/account/email': { email: 'ann@mail.example' },
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
  const { port, url } = await testServer(t, passkeyEnv)
  const owner = await passkeyUser(url)
  const post = await owner.client.post<{ id: string }>('v1/posts', { json: { text: 'Hello' } })
  const ownersOwn: Record<string, string | undefined> = {
    '/v1/posts': post.body.id,
    '/v1/passkeys': owner.passkey.id,
  }
  for (const list of ['/v1/sessions', '/v1/devices']) {
    const { body } = await owner.client.get<{ items: { id: string }[] }>(list.slice(1))
    ownersOwn[list] = body.items[0]?.id
  }

  /** A new account, with a post and a session of its own. */
  async function newcomer(isConfirmed: boolean) {
    const { authenticator, client, passkey, username } = await passkeyUser(url)
    const own = await client.post<{ id: string }>('v1/posts', { json: { text: 'Mine' } })
    const second = makeClient(url)
    const login = await second.post<{ session: { id: string } }>('v1/session', { json: { username, password } })
    const caller = isConfirmed ? client : second
    const cookie = await caller.jar.getCookieString(url)
    const current = await client.get<{ session: { id: string } }>('v1/session')
    const session = isConfirmed ? login.body.session.id : current.body.session.id
    const devices = await client.get<{ items: { id: string }[] }>('v1/devices')
    const ids: Record<string, string | undefined> = {
      ...{ '/v1/posts': own.body.id, '/v1/passkeys': passkey.id, '/v1/sessions': session },
      '/v1/devices': devices.body.items[0]?.id,
    }
    return { authenticator, client, cookie, username, ids }
  }

  /** What the second factor's requests need before them: an enrolment, an app, or the first step of a login. */
  async function prepare(route: string, { client, username }: Awaited<ReturnType<typeof newcomer>>) {
    if (route === 'POST /v1/second-factor/totp/confirm') {
      const { secret } = await beginEnrolment(client)
      return { json: { code: codeOf(secret) } }
    }
    if (route === 'POST /v1/second-factor/recovery-codes') {
      await enrol(client)
      return { cookie: await client.jar.getCookieString(url) }
    }
    if (route !== 'POST /v1/session/second-factor') return undefined
    const { secret } = await enrol(client)
    const browser = makeClient(url)
    await firstStep(browser, username)
    const challenge = await browser.jar.getCookieString(url)
    const cookie = `${await client.jar.getCookieString(url)}; ${challenge}`
    return { challenge, cookie, json: { code: codeOf(secret, 1) } }
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
      const [list = ''] = path.split('/{id}')
      const id = (isOther ? ownersOwn : own.ids)[list]
      const isOwnName = path === '/v1/accounts/{username}' && !isOther
      const target = path.replace('{id}', String(id)).replace('{username}', isOwnName ? own.username : owner.username)
      const query = path === '/v1/analytics/reactions' ? '?from=2026-01-01&to=2026-01-02' : ''
      const route = `${method} ${path}`
      const prepared = wanted === 'yes' ? await prepare(route, own) : undefined
      const cookie = caller === 'no session' ? (prepared?.challenge ?? '') : (prepared?.cookie ?? own.cookie)
      const answered = await answerChallenge(port, route, own.authenticator, cookie)
      const answer = await ask(port, method, `${target}${query}`, {
        headers: answered?.headers ?? (cookie === '' ? {} : { cookie }),
        json: answered
          ? { ...answered.json, ...(isOther && { username: owner.username }) }
          : (prepared?.json ?? bodies[route] ?? newAccountOrLogin(route, own.username)),
      })
      const isLetIn = ![401, 403].includes(answer.status) && (answer.status !== 404 || wanted === '404')
      t.equal(isLetIn && wanted === 'yes' ? 'yes' : String(answer.status), wanted, `${method} ${path}: ${caller}`)
      if (wanted === 'yes') t.ok(answer.status < 400, `${method} ${path}: ${caller} gets ${answer.status}`)
    }
  }
})

/** The body of a route that takes what a browser makes of a challenge, with the challenge's cookie. */
async function answerChallenge(port: number, route: string, authenticator: Authenticator, cookie: string) {
  if (route !== 'POST /v1/passkeys' && route !== 'POST /v1/session/passkey') return undefined
  const isLogin = route === 'POST /v1/session/passkey'
  const json = isLogin ? {} : undefined
  const options = await ask(port, 'POST', `${route.slice(5)}/options`, { headers: { cookie }, json })
  if (options.status !== 200) return { headers: { cookie }, json: { response: exampleRegistration } }
  const [challenge = ''] = (options.headers['set-cookie'] ?? []).map((line) => line.split(';')[0])
  // The routes' own schemas made them.
  const response = isLogin ? authenticator.get(options.body as Request) : authenticator.create(options.body as Creation)
  return { headers: { cookie: cookie === '' ? challenge : `${cookie}; ${challenge}` }, json: { response } }
}

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
