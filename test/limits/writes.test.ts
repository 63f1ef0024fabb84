import t, { type Test } from 'tap'
import { password, testServer } from '../helper.ts'
import { type Answer, ask, cookieOf, expectProblem } from '../http/wire.ts'
import { twoServers } from '../sessions/servers.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { countStatuses } from './login-attempts.ts'
import { atQuarterHour, quarterHour } from './quarter-hour.ts'

/** Two servers with low quotas, and functions that post to either. */
async function startServers(t: Test, env: Record<string, string>) {
  const clock = atQuarterHour(t)
  const { urls, ...rest } = await twoServers(t, env)
  const ports = urls.map((url) => Number(new URL(url).port))
  const [port = 0] = ports
  const post = (at: number, cookie: string, from?: string) =>
    ask(at, 'POST', '/v1/posts', {
      headers: { cookie, ...(from !== undefined && { 'x-forwarded-for': from }) },
      json: { text: 'x' },
    })
  /** Creates posts concurrently, distributed over the servers. */
  const posts = (times: number, cookie: string, from?: string) =>
    Promise.all(Array.from({ length: times }, (_, n) => post(ports[n % 2] ?? 0, cookie, from)))
  return { ...rest, clock, ports, port, post, posts }
}

function expectOver(t: Test, answer: Answer, name: string, quota: number): void {
  expectProblem(t, answer, 'rate-limited')
  const seconds = Number(answer.headers['retry-after'])
  t.ok(seconds > 600 && seconds <= 900, `Retry-After is the rest of the window: ${seconds} s`)
  t.equal(answer.headers['ratelimit-policy'], `"${name}";q=${quota};w=900`)
  t.equal(answer.headers.ratelimit, `"${name}";r=0;t=${seconds}`)
}

t.test(
  '7 writes of an account in 15 minutes succeed over two servers; others get 429, reads and refresh go on',
  async (t) => {
    const { db, clock, ports, port, post, posts } = await startServers(t, { LIMIT_WRITES_PER_ACCOUNT: '7' })
    const cookie = await cookieOf(port, 'ann')
    const bob = await cookieOf(port, 'bob')
    for (let n = 0; n < 8; n += 1) {
      await ask(port, 'POST', '/v1/posts', { headers: { cookie, origin: 'https://evil.example' }, json: { text: 'x' } })
      await ask(port, 'PUT', '/v1/posts', { headers: { cookie } })
    }
    const first = await post(port, cookie)
    t.match(first, {
      status: 201,
      headers: { 'ratelimit-policy': '"writes";q=7;w=900', ratelimit: /^"writes";r=6;t=\d+$/ },
    })
    t.same(countStatuses(await posts(20, cookie)), { 201: 6, 429: 14 }, '20 concurrent writes to two servers')
    t.equal(await db.collection('posts').countDocuments(), 7)

    const headers = { cookie, 'content-type': 'text/plain' }
    for (const at of ports) {
      expectOver(t, await post(at, cookie), 'writes', 7)
      for (const [method, path] of [
        ['POST', '/v1/posts?x=1'],
        ['PATCH', '/v1/account'],
        ['DELETE', '/v1/posts/x'],
        ['PUT', '/v1/posts/x/reaction'],
        ['DELETE', '/v1/accounts/ann/follow'],
      ] as const)
        expectOver(t, await ask(at, method, path, { headers, body: 'x'.repeat(17_000) }), 'writes', 7)
    }
    t.same(countStatuses(await posts(8, bob)), { 201: 7, 429: 1 }, 'another account has its own quota')

    for (const path of ['/v1/account', '/v1/session', '/v1/sessions', '/v1/account/activity', '/v1/posts']) {
      const read = await ask(port, 'GET', path, { headers: { cookie } })
      t.equal(read.status, 200, `GET ${path}`)
      t.match(read.headers['ratelimit-policy'], /^"reads";/, 'it describes the limit of reads')
    }
    t.equal((await ask(port, 'HEAD', '/v1/account', { headers: { cookie } })).status, 200)
    const refreshed = await ask(port, 'POST', '/v1/session/refresh', { headers: { cookie } })
    t.equal(refreshed.status, 200, 'a refresh is no write')
    const next = cookieHeader(refreshed)

    clock.forward(quarterHour)
    const fresh = cookieHeader(await ask(port, 'POST', '/v1/session/refresh', { headers: { cookie: next } }))
    t.same(countStatuses(await posts(20, fresh)), { 201: 7, 429: 13 }, 'the next window has the complete quota')
    t.equal(
      (await ask(port, 'DELETE', '/v1/session', { headers: { cookie: fresh } })).status,
      204,
      'a logout is no write',
    )
  },
)

const cookieHeader = ({ headers }: Pick<Answer, 'headers'>) =>
  Object.entries(setCookies(headers))
    .map(([name, cookie]) => `${name}=${cookie?.value}`)
    .join('; ')

t.test('6 writes from an IPv4 address or IPv6 /64 in 15 minutes succeed, all accounts together', async (t) => {
  const { port, ports, post, posts } = await startServers(t, {
    LIMIT_WRITES_PER_ADDRESS: '6',
    TRUSTED_PROXIES: '127.0.0.1',
  })
  const [ann, bob] = [await cookieOf(port, 'ann'), await cookieOf(port, 'bob')]
  const all = await Promise.all([posts(8, ann, '2001:db8::1'), posts(8, bob, '2001:db8::2')])
  t.same(countStatuses(all.flat()), { 201: 6, 429: 10 })
  for (const at of ports) expectOver(t, await post(at, bob, '2001:db8::3'), 'writes-by-address', 6)
  for (const [method, path] of [
    ['POST', '/v1/session'],
    ['POST', '/v1/session/refresh'],
    ['DELETE', '/v1/session'],
  ] as const) {
    const headers = { cookie: ann, 'x-forwarded-for': '2001:db8::1', 'content-type': 'text/plain' }
    const { status } = await ask(port, method, path, { headers, body: 'x' })
    t.equal(status, 415, `${method} ${path}: others behind the same address prevent neither refresh nor logout`)
  }
  const forms = ['1.2.3.4', '::ffff:1.2.3.4', '::ffff:102:304', '9.9.9.9, 1.2.3.4', '::1, ::FFFF:0102:0304', '1.2.3.4']
  for (const form of forms) t.equal((await post(port, ann, form)).status, 201, form)
  for (const form of forms) expectOver(t, await post(port, ann, form), 'writes-by-address', 6)
  t.equal((await post(port, ann, '2001:db8:0:1::1')).status, 201, 'another /64')
  t.equal(
    (await ask(port, 'GET', '/v1/account', { headers: { cookie: ann, 'x-forwarded-for': '2001:db8::1' } })).status,
    200,
  )
})

t.test('two servers together allow 970 to 1,000 changes of a quota of 1,000', { timeout: 120_000 }, async (t) => {
  const { port, ports } = await startServers(t, { LIMIT_WRITES_PER_ACCOUNT: '1000' })
  const cookie = await cookieOf(port, 'ann')
  let allowed = 0
  let refused = 0
  // Two thirds go to one server. An invalid request counts as well, and costs less.
  for (let n = 0; n < 20; n += 1) {
    const requests = Array.from({ length: 54 }, (_, n) =>
      ask(ports[n % 3 ? 1 : 0] ?? 0, 'POST', '/v1/posts', { headers: { cookie }, json: {} }),
    )
    const { 400: invalid = 0, 429: limited = 0, ...others } = countStatuses(await Promise.all(requests))
    t.same(others, {})
    allowed += invalid
    refused += limited
  }
  t.equal(allowed + refused, 1_080)
  t.ok(allowed <= 1_000 && allowed >= 970, `${allowed} of 1,000 were allowed`)
})

t.test('default quotas: 1,000 sign-ups and 1,000,000 writes in development, 20 and 1,000 in production', async (t) => {
  const policies = async (env: Record<string, string>) => {
    const { port } = await testServer(t, env)
    const signUp = await ask(port, 'POST', '/v1/accounts', { json: { username: 'ann', password } })
    const post = await ask(port, 'POST', '/v1/posts', {
      headers: { cookie: cookieHeader(signUp) },
      json: { text: 'x' },
    })
    return [signUp, post].map(({ headers }) => headers['ratelimit-policy'])
  }
  t.same(await policies({}), ['"signups";q=1000;w=900', '"writes";q=1000000;w=900'])
  const production = { NODE_ENV: 'production', PUBLIC_ORIGIN: 'https://rookery.example', BCRYPT_COST: '10' }
  t.same(await policies(production), ['"signups";q=20;w=900', '"writes";q=1000;w=900'])
})

t.test('an account over its limit does not use up the quota of others behind its address', async (t) => {
  const { port, posts } = await startServers(t, { LIMIT_WRITES_PER_ACCOUNT: '3', LIMIT_WRITES_PER_ADDRESS: '5' })
  const [ann, bob] = [await cookieOf(port, 'ann'), await cookieOf(port, 'bob')]
  t.same(countStatuses(await posts(9, ann)), { 201: 3, 429: 6 })
  t.same(countStatuses(await posts(3, bob)), { 201: 2, 429: 1 })
})

t.test('5 changes from an IPv6 /48 or IPv4 /24 in 15 minutes succeed, whatever its addresses', async (t) => {
  const { port, post } = await startServers(t, { LIMIT_WRITES_PER_NETWORK: '5', TRUSTED_PROXIES: '127.0.0.1' })
  const cookie = await cookieOf(port, 'ann')
  for (const addressOf of [(n: number) => `2001:db8:1:${n}::1`, (n: number) => `203.0.113.${n}`]) {
    for (let n = 0; n < 5; n += 1) t.equal((await post(port, cookie, addressOf(n))).status, 201)
    expectOver(t, await post(port, cookie, addressOf(5)), 'writes-by-network', 5)
  }
  t.equal((await post(port, cookie, '2001:db8:2::1')).status, 201, 'another /48')
})
