import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { testServer } from '../helper.ts'
import { honest, type Lie, lyingProxy, problem, withBody } from './lying-proxy.ts'
import { runAgainst } from './run-crowd.ts'

const patient = { totalMs: 60_000, attemptTimeoutMs: 20_000 }
const size = { users: 3, posts: 2, replies: 1, follows: 2, reactions: 4 }

async function proxied(t: Test, lie: Lie) {
  const server = await testServer(t)
  const proxy = await lyingProxy(server.url, lie)
  t.teardown(proxy.close)
  return { ...server, ...proxy }
}

const isWrite = (method: string, path: string) => method !== 'GET' && !path.startsWith('/v1/session')

t.test('a run without faults agrees: at least 80% are reads, and every robot logs out', async (t) => {
  const { url, db, requests } = await proxied(t, honest)
  const { findings, stats } = await runAgainst(url, { ...size, reactions: 12, ...patient })
  t.strictSame(findings.findings, [])
  t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures(), gaveUp: findings.gaveUp })
  t.match(findings.totals, { posts: 9, pinned: 0, open: 0, foreign: 0 })
  t.equal(await db.collection('posts').countDocuments(), 9)
  t.equal(await db.collection('sessions').countDocuments(), 0, 'no session is left')
  const reads = requests.filter(({ method }) => method === 'GET').length
  t.ok(reads >= 0.8 * requests.length, `${reads} reads of ${requests.length} requests`)
})

t.test('the first answer to each write is lost: retries carry the same key, and all is accounted for', async (t) => {
  const lost = new Set<string>()
  const { url, requests } = await proxied(t, async ({ method, path, key, cookie }, forward) => {
    const reply = await forward()
    const once = key || `${method} ${path} ${cookie}`
    if (!isWrite(method, path) || lost.has(once)) return reply
    lost.add(once)
    return null
  })
  const { findings } = await runAgainst(url, { ...size, ...patient })
  t.strictSame(findings.findings, [])
  t.match(findings.totals, { posts: 9 })
  t.equal(findings.gaveUp.size, 0)
  const keys = requests.flatMap(({ key }) => key || [])
  t.equal(new Set(keys).size, 9)
  t.ok(keys.length >= 18)
  for (const key of keys) t.match(key, /^[!-~]{1,64}$/)
})

t.test('writes without an answer may have happened or not; what reads show of them is counted', async (t) => {
  for (const happens of [true, false]) {
    const { url } = await proxied(t, async ({ method, path }, forward) => {
      if (method === 'GET' || !/\/(reaction|follow)$/.test(path)) return forward()
      if (happens) await forward()
      return problem(503, 'outcome-unknown')
    })
    const { findings, stats } = await runAgainst(url, { ...size, users: 2, totalMs: 300, attemptTimeoutMs: 20_000 })
    t.strictSame(findings.findings, [])
    t.ok(findings.totals.pinned + findings.totals.open > 0, 'they are counted')
    t.equal(findings.totals.pinned > 0, happens)
    t.notOk(isSuccess(findings, stats.failures()))
  }
})

t.test('a retry after 429 or 503 waits for Retry-After', async (t) => {
  let attempts = 0
  const { url, requests } = await proxied(t, async ({ path }, forward) => {
    if (path !== '/v1/accounts') return forward()
    attempts += 1
    if (attempts === 1) return problem(429, 'rate-limited', { 'retry-after': '1' })
    return attempts === 2 ? problem(503, 'overloaded', { 'retry-after': '1' }) : forward()
  })
  const { findings, stats } = await runAgainst(url, { users: 1, posts: 0, reactions: 0, ...patient })
  t.ok(isSuccess(findings, stats.failures()))
  t.match(stats.retries(), [{ cause: '429 rate-limited' }, { cause: '503 overloaded' }])
  const times = requests.filter(({ path }) => path === '/v1/accounts').map(({ at }) => at)
  t.ok((times[1] ?? 0) - (times[0] ?? 0) >= 990, 'at least 990 ms before the second attempt')
})

t.test('a robot gives up when Retry-After exceeds the retry policy', async (t) => {
  const { url } = await proxied(t, async ({ path }, forward) =>
    path === '/v1/accounts' ? problem(429, 'rate-limited', { 'retry-after': '800' }) : forward(),
  )
  const { findings, stats } = await runAgainst(url, size)
  t.notOk(isSuccess(findings, stats.failures()))
  t.strictSame([...findings.gaveUp], [['429 rate-limited, Retry-After 800 s is too long', 3]])
})

t.test('an unresponsive server ends the run: robots that wait for a sign-up slot do not try in turn', async (t) => {
  const { url } = await proxied(t, async () => null)
  const { findings } = await runAgainst(url, { users: 60, totalMs: 300 })
  const [[cause, robots] = ['', 0], ...others] = findings.gaveUp
  t.equal(cause, 'ECONNRESET, retries exhausted')
  // 16 sign-ups run at a time. Robots that give up before `totalMs` has passed free their slots for one more batch.
  t.ok(robots <= 32, `at most two batches of concurrent sign-ups gave up: ${robots}`)
  t.strictSame(others, [])
  t.equal(findings.totals.checked, 0)
})

t.test('an interrupted run starts no step and checks what was acknowledged', async (t) => {
  const stopping = new AbortController()
  let posts = 0
  const { url, db } = await proxied(t, async ({ method, path }, forward) => {
    if (method === 'POST' && path === '/v1/posts') posts += 1
    if (posts === 4) stopping.abort()
    return forward()
  })
  const { findings } = await runAgainst(url, { ...size, posts: 50, stopping, ...patient })
  t.strictSame(findings.findings, [])
  t.equal(findings.totals.posts, await db.collection('posts').countDocuments())
  t.ok(findings.totals.posts < 10)
  t.equal(findings.gaveUp.size, 0)
  t.equal(await db.collection('sessions').countDocuments(), 0, 'the robots are logged out')
})

t.test('a robot refreshes an expired session, and logs in again after a revoked one', async (t) => {
  const refused: string[] = []
  const { url, requests } = await proxied(t, async ({ method, path }, forward) => {
    if (method !== 'POST' || path === '/v1/accounts') return forward()
    const nth = requests.filter((request) => request.method === 'POST' && request.path === path).length
    // The first creation finds an expired access token, the second (after its retry) a revoked session.
    const refuses = (path === '/v1/posts' && (nth === 1 || nth === 3)) || (path === '/v1/session/refresh' && nth === 2)
    if (!refuses) return forward()
    refused.push(path)
    return problem(401, 'unauthenticated')
  })
  const { findings, stats } = await runAgainst(url, { users: 1, posts: 2, reactions: 0, ...patient })
  t.ok(isSuccess(findings, stats.failures()), 'success', { findings, failures: stats.failures() })
  t.strictSame(refused, ['/v1/posts', '/v1/posts', '/v1/session/refresh'])
  t.match(stats.retries(), [{ action: 'post', cause: '401 unauthenticated', count: 2 }])
  t.match(
    stats.rows().find(({ action }) => action === 'log in'),
    { count: 2 },
    'once after the revocation, once from its second device',
  )
})

t.test(
  'a robot whose session cookie has expired is no visitor: it refreshes the session and reads again',
  async (t) => {
    let expired = 0
    const { url } = await proxied(t, async ({ method, path, cookie }, forward) => {
      const reply = await forward()
      if (method !== 'PUT' || !path.endsWith('/reaction') || !cookie.includes('session=')) return reply
      expired += 1
      return { ...reply, setCookie: ['session=; Path=/; Max-Age=0'] }
    })
    const { findings } = await runAgainst(url, { ...size, ...patient })
    t.ok(expired > 0, `${expired} cookies have expired`)
    t.strictSame(findings.findings, [])
  },
)

t.test('a list whose session had ended is read again, and its items count once', async (t) => {
  let lists = 0
  const { url } = await proxied(t, async ({ method, path }, forward) => {
    const reply = await forward()
    if (method !== 'GET' || path !== '/v1/posts') return reply
    lists += 1
    return lists % 2 === 1 ? { ...reply, headers: { ...reply.headers, 'rookery-session': 'invalid' } } : reply
  })
  const { findings } = await runAgainst(url, { ...size, ...patient })
  t.ok(lists > 2, `${lists} lists`)
  t.strictSame(findings.findings, [])
})

t.test('who deletes the account leaves without giving up', async (t) => {
  const { url, requests } = await proxied(t, honest)
  const { findings, stats } = await runAgainst(url, { ...size, users: 2, deletions: 50, ...patient })
  t.equal(requests.filter(({ method, path }) => method === 'DELETE' && path === '/v1/account').length, 1)
  t.strictSame(findings.findings, [])
  t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures(), gaveUp: findings.gaveUp })
})

t.test('a server that is too busy to refuse a wrong password has not accepted it', async (t) => {
  let busy = 0
  const { url } = await proxied(t, async ({ method, path }, forward) => {
    const reply = await forward()
    if (method !== 'POST' || path !== '/v1/session' || reply.status !== 401) return reply
    busy += 1
    return busy % 2 === 1 ? problem(503, 'outcome-unknown') : reply
  })
  const { findings } = await runAgainst(url, { ...size, users: 4, ...patient })
  t.ok(busy > 1, `${busy} wrong passwords`)
  t.strictSame(findings.findings, [])
})

t.test('robots whose posts all fail wait neither for their own nor for each other’s', async (t) => {
  const { url } = await proxied(t, async ({ method, path }, forward) =>
    method === 'POST' && path === '/v1/posts' ? problem(500, 'internal') : forward(),
  )
  const { findings } = await runAgainst(url, { ...size, ...patient })
  t.strictSame(findings.findings, [])
  t.equal(findings.totals.posts, 0)
})

t.test('a 500 is a failure and an open outcome, and the robots continue', async (t) => {
  let failed = false
  const { url } = await proxied(t, async ({ method, path }, forward) => {
    if (failed || method !== 'POST' || path !== '/v1/posts') return forward()
    failed = true
    return problem(500, 'internal')
  })
  const { findings, stats } = await runAgainst(url, { ...size, ...patient })
  t.strictSame(findings.findings, [])
  t.match(stats.failures(), [{ cause: '500 internal', count: 1 }])
  t.notOk(isSuccess(findings, stats.failures()))
})

t.test('a text that changes after all is found, with the first place that differs', async (t) => {
  const { url } = await proxied(t, async ({ method, path }, forward) => {
    const reply = await forward()
    if (method !== 'GET' || !/^\/v1\/posts\/[^/]+$/.test(path)) return reply
    return withBody<{ text: string }>(reply, (post) => ({ ...post, text: post.text.replace(/.$/su, '~') }))
  })
  const { findings } = await runAgainst(url, { ...size, ...patient })
  const [found] = findings.findings
  t.match(found, { rule: 'R', object: /^text:/, seen: /~" at character \d+ of \d+$/ })
  t.ok((found?.requestIds.length ?? 0) > 0)
})

t.test('two runs with one seed on one server never meet', async (t) => {
  const { url, db } = await testServer(t)
  for (const posts of [9, 18]) {
    const { findings, stats } = await runAgainst(url, { ...size, ...patient, seed: 11 })
    t.ok(isSuccess(findings, stats.failures()), 'success', { findings, failures: stats.failures() })
    t.equal(await db.collection('posts').countDocuments(), posts)
  }
  const texts = await db.collection('posts').distinct('text')
  t.equal(texts.length, 9, 'and both write the same')
})
