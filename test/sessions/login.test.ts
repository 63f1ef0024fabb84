import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { carried, setCookies } from './set-cookies.ts'

type LoggedIn = { account: object; session: { id: string; createdAt: string; expiresAt: string } }
type Problem = { instance: string }

const day = 86_400_000

t.test('logging in', async (t) => {
  const { url } = await testServer(t)
  const login = (json: unknown, client = makeClient(url), headers = {}) =>
    client.post<LoggedIn>('v1/session', { json: json as object, headers }) // any JSON, valid or not
  const status = async (headers: Record<string, string>) =>
    (await makeClient(url).get('v1/session', { headers })).statusCode

  t.test('a login answers account and session, and sets all three cookies', async (t) => {
    const { username, client } = await signUp(url)
    const own = (await client.get('v1/account')).body
    const browser = makeClient(url)
    const { statusCode, headers, body } = await login({ username, password }, browser, {
      'user-agent': 'Test/1 (x)\t\x9b31m',
    })
    t.equal(statusCode, 200)
    t.same(Object.keys(body).sort(), ['account', 'session'])
    t.same(body.account, own)
    const keys = ['confirmedUntil', 'createdAt', 'current', 'expiresAt', 'id', 'ip', 'lastSeenAt', 'userAgent']
    t.same(Object.keys(body.session).sort(), keys)
    t.match(
      body.session,
      { current: true, confirmedUntil: null, ip: '127.0.0.1', userAgent: 'Test/1 (x)??31m' },
      'no control character',
    )
    t.equal(Date.parse(body.session.expiresAt) - Date.parse(body.session.createdAt), 30 * day)
    const cookies = setCookies(headers)
    t.same(Object.keys(cookies).sort(), ['device', 'refresh', 'session'])
    t.same(cookies.session?.attributes, ['HttpOnly', 'Max-Age=900', 'Path=/', 'SameSite=Lax'])
    t.equal(headers['cache-control'], 'no-store')
    const read = await browser.get<LoggedIn>('v1/session')
    t.equal(read.statusCode, 200)
    t.same(read.body.account, own)
    t.equal(read.body.session.id, body.session.id)
    for (const cookie of Object.values(cookies)) t.notOk(JSON.stringify(body).includes(cookie?.value ?? ''))
  })

  t.test('an unknown name and a wrong password get identical responses', async (t) => {
    const { username } = await signUp(url)
    const wrong = [
      { username, password: `${password}.` },
      { username: 'unknown_name', password },
      { username: 'x', password: '' },
      { username: 'not a name at all \0 \uD800', password: 'x' },
      { username, password: '\uD800' },
      { username: 'x'.repeat(256), password: '🌍'.repeat(256) },
    ]
    const answers = await Promise.all(wrong.map((json) => login(json)))
    const seen = new Set<string>()
    for (const { statusCode, headers, body } of answers) {
      t.equal(statusCode, 401)
      t.equal(headers['set-cookie'], undefined)
      // The type is that of a successful login.
      const { instance: _, ...rest } = body as unknown as Problem
      const { date, 'x-request-id': __, ...others } = headers
      t.ok(date)
      seen.add(JSON.stringify([rest, others]))
    }
    t.equal(seen.size, 1, 'all responses are equal', { seen: [...seen] })
    t.match(answers[0]?.body, { code: 'invalid-credentials', status: 401 })
    t.equal(answers[0]?.headers['www-authenticate'], 'Cookie realm="rookery"', 'RFC 9110, 15.5.2')
  })

  t.test('only types and lengths of up to 256 characters are validated', async (t) => {
    const { username } = await signUp(url)
    const bad = [
      [{ username }, '/body/password'],
      [{ password }, '/body/username'],
      [{ username, password: 5 }, '/body/password'],
      [{ username: null, password }, '/body/username'],
      [{ username: ['x'], password }, '/body/username'],
      [{ username: { $gt: '' }, password }, '/body/username'],
      [{ username, password: { $ne: '' } }, '/body/password'],
      [{ username: 'x'.repeat(257), password }, '/body/username'],
      [{ username, password: '🌍'.repeat(257) }, '/body/password'],
      [{ username, password, remember: true }, '/body/remember'],
    ] as const
    for (const [json, pointer] of bad) {
      const { statusCode, body } = await login(json)
      t.equal(statusCode, 400, pointer)
      t.match(body, { code: 'validation', errors: [{ pointer }] })
    }
  })

  t.test('a login ends the session that either of its cookies names; a failed login does not', async (t) => {
    const { username } = await signUp(url)
    for (const name of ['session', 'refresh']) {
      const old = setCookies((await login({ username, password })).headers)
      await login({ username, password: 'wrong' }, makeClient(url), carried(old, name))
      t.equal(await status(carried(old, 'session')), 200, 'still live after a failed login')
      const { statusCode } = await login({ username, password }, makeClient(url), carried(old, name))
      t.equal(statusCode, 200)
      t.equal(await status(carried(old, 'session')), 401, `the ${name} cookie names it`)
    }
  })

  t.test('two sessions of an account are live at once; ending one leaves the other', async (t) => {
    const ann = await signUp(url)
    const second = makeClient(url)
    await login({ username: ann.username, password }, second)
    t.equal((await ann.client.get('v1/session')).statusCode, 200)
    t.equal((await second.get('v1/session')).statusCode, 200)
    await second.delete('v1/session')
    t.equal((await ann.client.get('v1/session')).statusCode, 200)
  })

  t.test('GET /v1/session without a session gets 401 unauthenticated', async (t) => {
    const { statusCode, headers, body } = await makeClient(url).get('v1/session')
    t.equal(statusCode, 401)
    t.match(body, { code: 'unauthenticated' })
    t.match(headers, { 'cache-control': 'no-store', 'set-cookie': undefined })
  })
})
