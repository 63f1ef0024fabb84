import { randomBytes } from 'node:crypto'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { expectLimited } from './login-attempts.ts'

const TRUSTED_PROXIES = '127.0.0.1'

/** Sends a request so many times, and returns the last answer. */
async function repeat<Answer>(times: number, send: () => Promise<Answer>): Promise<Answer> {
  for (let n = 1; n < times; n += 1) await send()
  return send()
}

t.test('reads are limited by address and network without a session, by account with one', async (t) => {
  const env = { LIMIT_READS_PER_ADDRESS: '6', LIMIT_READS_PER_ACCOUNT: '4', TRUSTED_PROXIES }
  const { port } = await testServer(t, env)
  const [ann, bob] = [await cookieOf(port, 'ann'), await cookieOf(port, 'bob')]
  const read = (from: string, cookie?: string, path = '/v1/posts', method = 'GET') =>
    ask(port, method, path, { headers: { 'x-forwarded-for': from, ...(cookie !== undefined && { cookie }) } })

  t.match(await read('203.0.113.1'), {
    status: 200,
    headers: { 'ratelimit-policy': '"reads-by-address";q=6;w=900', ratelimit: /^"reads-by-address";r=5;t=\d+$/ },
  })
  t.equal((await read('203.0.113.1', undefined, '/v1/posts', 'HEAD')).status, 200)
  t.equal((await read('203.0.113.1', 'session=x')).status, 200, 'a cookie that is not valid counts as none')
  for (const path of ['/openapi.json', '/.well-known/jwks.json', '/docs/'])
    t.equal((await read('203.0.113.1', undefined, path)).status, 200, path)
  for (const path of [
    '/v1/posts',
    '/v1/accounts/ann',
    '/openapi.json',
    '/.well-known/jwks.json',
    '/docs/static/page.css',
  ])
    expectLimited(t, await read('203.0.113.1', undefined, path), 'reads-by-address', 6)
  t.equal((await read('203.0.113.1', undefined, '/v1/posts', 'HEAD')).status, 429)
  for (const path of ['/health/live', '/health/ready', '/health/database'])
    t.match(await read('203.0.113.1', undefined, path), { status: 200, headers: { ratelimit: undefined } }, path)
  t.equal((await read('203.0.113.1', undefined, '/v1/account')).status, 401, 'a 401 comes before a 429')
  t.equal((await read('203.0.113.1', undefined, '/v1/nothing')).status, 404)

  t.match(await read('203.0.113.1', ann), { status: 200, headers: { ratelimit: /^"reads";r=3;t=\d+$/ } })
  for (const path of ['/v1/account', '/v1/timeline', '/v1/sessions'])
    t.equal((await read('203.0.113.1', ann, path)).status, 200)
  for (const path of ['/v1/posts', '/v1/account', '/v1/timeline'])
    expectLimited(t, await read('198.51.100.1', ann, path), 'reads', 4)
  t.equal((await repeat(2, () => read('203.0.113.1', bob))).status, 200, 'an account behind the same address goes on')
  expectLimited(t, await read('203.0.113.1', bob), 'reads-by-address', 6)
  const write = { headers: { cookie: ann }, json: { text: 'x' } }
  t.match(await ask(port, 'POST', '/v1/posts', write), { status: 201, headers: { ratelimit: /^"writes";/ } })

  for (let n = 2; n <= 4; n += 1) t.equal((await repeat(6, () => read(`203.0.113.${n}`))).status, 200)
  expectLimited(t, await read('203.0.113.5'), 'reads-by-network', 24)
  t.equal((await read('203.0.114.1')).status, 200)
})

const cookieHeader = (headers: Parameters<typeof setCookies>[0]) =>
  Object.entries(setCookies(headers))
    .map(([name, cookie]) => `${name}=${cookie?.value}`)
    .join('; ')

t.test('refreshes are limited by account; another cannot use up its quota', async (t) => {
  const { port } = await testServer(t, { LIMIT_REFRESHES_PER_ACCOUNT: '3' })
  let cookie = await cookieOf(port, 'ann')
  const me = await ask(port, 'GET', '/v1/account', { headers: { cookie } })
  const account = Buffer.from(String(field(me.body, 'id')).replaceAll('-', ''), 'hex')
  const refresh = (cookies: string) => ask(port, 'POST', '/v1/session/refresh', { headers: { cookie: cookies } })

  for (let n = 0; n < 10; n += 1) {
    const forged = Buffer.concat([account, randomBytes(48)]).toString('base64url')
    t.equal((await refresh(`refresh=${forged}`)).status, 401)
  }
  for (let left = 2; left >= 0; left -= 1) {
    const answer = await refresh(cookie)
    t.match(answer, { status: 200, headers: { ratelimit: new RegExp(`^"refreshes";r=${left};t=\\d+$`) } })
    cookie = cookieHeader(answer.headers)
  }
  expectLimited(t, await refresh(cookie), 'refreshes', 3)
  t.equal((await ask(port, 'GET', '/v1/account', { headers: { cookie } })).status, 200, 'the session lives on')
  t.equal((await refresh(await cookieOf(port, 'bob'))).status, 200, 'another account has its own quota')
})

t.test('accounts that refresh often share a limit of their address; others behind it go on', async (t) => {
  const { port } = await testServer(t, { LIMIT_WRITES_PER_ADDRESS: '15' })
  const refresher = async (name: string) => {
    let cookie = await cookieOf(port, name)
    return async (others = '') => {
      const headers = { cookie: `${others}${cookie}` }
      const answer = await ask(port, 'POST', '/v1/session/refresh', { headers })
      if (answer.status === 200) cookie = cookieHeader(answer.headers)
      return answer
    }
  }
  const [ann, bob] = [await refresher('ann'), await refresher('bob')]
  for (let n = 1; n <= 15; n += 1) t.equal((await ann()).status, 200)
  expectLimited(t, await ann(), 'refreshes-by-address', 15)
  const unused = `refresh=${randomBytes(64).toString('base64url')}; `
  expectLimited(t, await ann(unused), 'refreshes-by-address', 15)
  for (let n = 1; n <= 10; n += 1) t.equal((await bob()).status, 200)
  expectLimited(t, await bob(), 'refreshes-by-address', 15)
})

t.test('refreshes and logouts without a live session are limited by address; those with one go on', async (t) => {
  const { port } = await testServer(t, { LIMIT_READS_PER_ADDRESS: '5', TRUSTED_PROXIES })
  const send = (method: string, path: string, cookie: string, from = '203.0.113.1') =>
    ask(port, method, path, { headers: { cookie, 'x-forwarded-for': from } })
  const [ann, bob] = [await cookieOf(port, 'ann'), await cookieOf(port, 'bob')]

  const answers = [await send('POST', '/v1/session/refresh', '')]
  for (const _ of [1, 2])
    answers.push(await send('POST', '/v1/session/refresh', `refresh=${randomBytes(64).toString('base64url')}`))
  for (const _ of [1, 2])
    answers.push(await send('DELETE', '/v1/session', `refresh=${randomBytes(64).toString('base64url')}`))
  t.same(
    answers.map(({ status, headers }) => [status, String(headers.ratelimit).replace(/t=\d+$/, 't=…')]),
    [401, 401, 401, 204, 204].map((status, n) => [status, `"session-requests-by-address";r=${4 - n};t=…`]),
  )
  for (const [method, path] of [
    ['POST', '/v1/session/refresh'],
    ['DELETE', '/v1/session'],
  ] as const)
    expectLimited(t, await send(method, path, ''), 'session-requests-by-address', 5)
  t.equal((await send('DELETE', '/v1/session', ann)).status, 204, 'a logout with a live session')
  // Until the process has read that the session has ended, it cannot tell.
  let ended = await send('DELETE', '/v1/session', ann)
  await eventually(async () => {
    if (ended.status !== 429) ended = await send('DELETE', '/v1/session', ann)
    return ended.status === 429
  })
  expectLimited(t, ended, 'session-requests-by-address', 5)
  t.equal((await send('GET', '/v1/posts', '')).status, 200, 'reads are counted apart')

  let cookie = bob
  for (let n = 0; n < 8; n += 1) {
    const answer = await send('POST', '/v1/session/refresh', cookie, '198.51.100.1')
    t.equal(answer.status, 200, 'refreshes of live sessions do not count for their address')
    cookie = cookieHeader(answer.headers)
  }
})
