import t from 'tap'
import * as schemas from '../../bot/api-schemas.ts'
import { isSuccess } from '../../bot/report/verdict.ts'
import { runAgainst } from './run-crowd.ts'
import { stubServer } from './stub-server.ts'

t.test('a run without faults succeeds: every post is created, no retry, every robot logs out', async (t) => {
  const stub = await stubServer(t)
  const { findings, stats } = await runAgainst(stub.url)
  t.strictSame(findings.mismatches, [])
  t.equal(findings.totals.posts, 6)
  t.ok(findings.totals.reactions > 3)
  t.ok(isSuccess(findings, stats.failures()))
  t.equal(stub.sessions.size, 0, 'no session is left')
  const count = (action: string) => stats.rows().find((row) => row.action === action)?.count
  t.equal(count('post'), 6)
  t.equal(count('log out'), 6)
  t.strictSame(stats.retries(), [])
})

t.test('the same seed creates the same content, and a second run on one server creates new posts', async (t) => {
  const content = (stub: Awaited<ReturnType<typeof stubServer>>) =>
    stub.posts.map(({ author, text, reactions }) => JSON.stringify([author, text, [...reactions].sort()])).sort()
  const [one, other, different] = [await stubServer(t), await stubServer(t), await stubServer(t)]
  await runAgainst(one.url, { seed: 7 })
  await runAgainst(other.url, { seed: 7 })
  await runAgainst(different.url, { seed: 8 })
  t.strictSame(content(one), content(other))
  t.notSame(content(one), content(different))

  const { findings, stats } = await runAgainst(one.url, { seed: 7 })
  t.ok(isSuccess(findings, stats.failures()))
  t.equal(one.accounts.size, 3)
  t.equal(one.posts.length, 12)
  t.strictSame(content(one), [...content(other), ...content(other)].sort())
})

t.test('after the loss of each first response, retries carry the same Idempotency-Key and apply once', async (t) => {
  const stub = await stubServer(t, (request, nth) =>
    request.method !== 'GET' &&
    (nth === 1 || request.url === '/v1/posts') &&
    dropOnce(request.headers['idempotency-key'], nth)
      ? 'apply, then drop'
      : undefined,
  )
  const dropped = new Set<string>()
  function dropOnce(key: string | string[] | undefined, nth: number) {
    if (key === undefined) return nth === 1
    if (dropped.has(String(key))) return false
    dropped.add(String(key))
    return true
  }
  const { findings, stats } = await runAgainst(stub.url)
  t.ok(isSuccess(findings, stats.failures()), 'success', { findings })
  t.equal(stub.posts.length, 6)
  t.equal(findings.totals.unknown, 0)
  const keys = stub.requests.flatMap(({ key }) => key ?? [])
  t.equal(keys.length, 12)
  t.equal(new Set(keys).size, 6)
  for (const key of keys) t.match(key, /^[!-~]{1,64}$/)
  t.match(stats.retries(), [{ action: 'sign up', cause: 'ECONNRESET', count: 1 }])
})

t.test('a retry after 429 or 503 waits for Retry-After', async (t) => {
  const stub = await stubServer(t, (request, nth) => {
    if (request.url !== '/v1/accounts' || nth > 2) return undefined
    const [status, code] = nth === 1 ? [429, 'rate-limited'] : [503, 'overloaded']
    return { status, body: { code }, headers: { 'retry-after': '1' } }
  })
  const { findings, stats } = await runAgainst(stub.url, { users: 1 })
  t.ok(isSuccess(findings, stats.failures()))
  t.match(stats.retries(), [{ cause: '429 rate-limited' }, { cause: '503 overloaded' }])
  const times = stub.requests.filter(({ path }) => path === '/v1/accounts').map(({ at }) => at)
  t.ok((times[1] ?? 0) - (times[0] ?? 0) >= 990, 'at least 990 ms before the second attempt')
})

t.test('a robot gives up when Retry-After exceeds the retry policy', async (t) => {
  const stub = await stubServer(t, (request) =>
    request.url === '/v1/accounts'
      ? { status: 429, body: { code: 'rate-limited' }, headers: { 'retry-after': '800' } }
      : undefined,
  )
  const { findings, stats } = await runAgainst(stub.url)
  t.notOk(isSuccess(findings, stats.failures()))
  t.strictSame([...findings.gaveUp], [['429 rate-limited, Retry-After 800 s is too long', 3]])
})

t.test('a robot refreshes an expired session and logs in again after a revoked one', async (t) => {
  const stub = await stubServer(t, (request, nth) => {
    if (request.url !== '/v1/posts' || request.method !== 'POST') return undefined
    if (nth === 1) stub.sessions.clear()
    if (nth === 3) {
      stub.sessions.clear()
      stub.refreshes.clear()
    }
    return undefined
  })
  const { findings, stats } = await runAgainst(stub.url, { users: 1 })
  t.ok(isSuccess(findings, stats.failures()))
  const paths = stub.requests.filter(({ method }) => method === 'POST').map(({ path }) => path)
  const signUpAndLogIn = ['/v1/accounts', '/v1/session']
  const first = ['/v1/posts', '/v1/session/refresh', '/v1/posts']
  t.strictSame(paths, [...signUpAndLogIn, ...first, '/v1/posts', '/v1/session/refresh', '/v1/session', '/v1/posts'])
  t.match(stats.retries(), [{ action: 'post', cause: '401 unauthenticated', count: 2 }])
})

for (const status of [401, 403]) {
  t.test(`a robot whose deletion of its account gets ${status} confirms its password again`, async (t) => {
    const stub = await stubServer(t, ({ method, url }, nth) =>
      method === 'DELETE' && url === '/v1/account' && nth === 1 ? { status } : undefined,
    )
    const { findings, stats } = await runAgainst(stub.url, { users: 2, deletions: 50 })
    t.ok(isSuccess(findings, stats.failures()), 'success', { findings, failures: stats.failures() })
    t.equal(stub.accounts.size, 1)
  })
}

t.test('a post without response counts as unknown, and either outcome is accepted', async (t) => {
  for (const fault of ['drop', 'apply, then drop'] as const) {
    let posts = 0
    const stub = await stubServer(t, (request) => {
      if (request.url === '/v1/posts' && request.method === 'POST') posts += 1
      return request.url === '/v1/posts' && request.method === 'POST' && posts > 1 ? fault : undefined
    })
    const { findings, stats } = await runAgainst(stub.url, { users: 1, totalMs: 300 })
    t.strictSame(findings.mismatches, [], fault)
    t.equal(findings.totals.unknown, 1)
    t.notOk(isSuccess(findings, stats.failures()))
  }
})

t.test('outcome-unknown for a reaction or a follow: either outcome is accepted', async (t) => {
  const reply = { status: 503, body: { code: 'outcome-unknown' } }
  for (const [fault, name] of [
    [reply, 'never applied'],
    [{ applied: reply }, 'applied'],
  ] as const) {
    const isFaulty = (url = '') => /\/(reaction|follow)$/.test(url)
    const stub = await stubServer(t, (request) => (isFaulty(request.url) ? fault : undefined))
    const { findings, stats } = await runAgainst(stub.url, { totalMs: 300 })
    t.strictSame(findings.mismatches, [], name)
    t.ok(findings.totals.unknown > 0, 'they are counted')
    t.notOk(isSuccess(findings, stats.failures()))
  }
})

t.test('outcome-unknown, and success when it is repeated: the acknowledged outcome must stand', async (t) => {
  const fault = { applied: { status: 503, body: { code: 'outcome-unknown' } } }
  const stub = await stubServer(t, (request, nth) =>
    nth === 1 && /\/(reaction|follow|posts)$/.test(request.url ?? '') && request.method !== 'GET' ? fault : undefined,
  )
  const { findings, stats } = await runAgainst(stub.url)
  t.ok(isSuccess(findings, stats.failures()), 'success', { findings })
  t.equal(findings.totals.unknown, 0)
})

t.test('an unresponsive server ends the run: robots that wait for a sign-up slot do not try in turn', async (t) => {
  const stub = await stubServer(t, () => 'drop')
  const { findings } = await runAgainst(stub.url, { users: 60, totalMs: 300 })
  t.ok(findings.unreadable)
  const [[cause, robots] = ['', 0], ...others] = findings.gaveUp
  t.equal(cause, 'ECONNRESET, retries exhausted')
  // 16 sign-ups run at a time. Robots that give up before `totalMs` has passed free their slots for one more batch.
  t.ok(robots <= 32, `at most two batches of concurrent sign-ups gave up: ${robots}`)
  t.strictSame(others, [])
})

t.test('lists are read through all pages', async (t) => {
  const stub = await stubServer(t)
  const { findings, stats } = await runAgainst(stub.url, { users: 2, posts: 130, reactions: 1 })
  t.ok(isSuccess(findings, stats.failures()), 'success', { findings })
  t.equal(stats.rows().find((row) => row.action === 'list posts')?.count, 2 * 2 + 3)
})

t.test('an interrupted run starts no action and verifies the acknowledged writes', async (t) => {
  const stopping = new AbortController()
  const stub = await stubServer(t, () => {
    if (stub.posts.length === 4) stopping.abort()
    return undefined
  })
  const { findings, stats } = await runAgainst(stub.url, { posts: 50, stopping })
  t.strictSame(findings.mismatches, [])
  t.equal(findings.totals.posts, stub.posts.length)
  t.ok(stub.posts.length < 10)
  t.equal(findings.gaveUp.size, 0)
  t.equal(
    stats.rows().find((row) => row.action === 'like'),
    undefined,
  )
})

t.test('a 500 is a failure and an unknown outcome, and the robots continue', async (t) => {
  const stub = await stubServer(t, (request, nth) =>
    request.url === '/v1/posts' && request.method === 'POST' && nth === 1
      ? { status: 500, body: { code: 'internal' } }
      : undefined,
  )
  const { findings, stats } = await runAgainst(stub.url)
  t.equal(findings.totals.posts, 5)
  t.equal(findings.totals.unknown, 1)
  t.strictSame(findings.mismatches, [])
  t.strictSame(stats.failures(), [{ action: 'post', cause: '500 internal', count: 1 }])
  t.notOk(isSuccess(findings, stats.failures()))
})

t.test('a like that a deleted account leaves behind is a mismatch only if it stays', async (t) => {
  for (const readsUntilSwept of [1, Number.POSITIVE_INFINITY]) {
    const stub = await stubServer(t)
    let publicListReads = 0
    stub.falsify = (path, body) => {
      if (path === '/v1/posts' && typeof body === 'object' && body !== null && 'items' in body) publicListReads += 1
      const isPost = /^\/v1\/posts\/[^/]+$/.test(path) && typeof body === 'object' && body !== null && 'counts' in body
      if (!isPost || publicListReads >= readsUntilSwept) return body
      const post = schemas.post.parse(body)
      return { ...post, counts: { ...post.counts, likes: post.counts.likes + 1 } }
    }
    const { findings } = await runAgainst(stub.url, { users: 2, deletions: 50, totalMs: 4_000 })
    t.equal(findings.mismatches.length > 0, readsUntilSwept > 1, findings.mismatches.join(' '))
  }
})

t.test('data that changes between phases and verification is a mismatch', async (t) => {
  const violations: [string, (stub: Awaited<ReturnType<typeof stubServer>>) => void, RegExp][] = [
    ['a post vanishes', (stub) => stub.posts.shift(), /but missing/],
    ['a post is doubled', (stub) => stub.posts.push({ ...first(stub), id: 'copy' }), /never acknowledged/],
    ['a post is listed twice', (stub) => stub.posts.push(first(stub)), /more than once/],
    ['a text changes', (stub) => Object.assign(first(stub), { text: 'else' }), /expected the text/],
    ['a reaction appears', (stub) => first(stub).reactions.set('stranger', 'like'), /never reacted/],
    ['all reactions vanish', (stub) => stub.posts.map((post) => post.reactions.clear()), /is not listed/],
  ]
  for (const [name, violate, expected] of violations) {
    let violated = false
    const stub = await stubServer(t, (request) => {
      if (!violated && request.method === 'GET' && /^\/v1\/posts\//.test(request.url ?? '')) {
        violated = true
        violate(stub)
      }
      return undefined
    })
    const { findings } = await runAgainst(stub.url)
    t.ok(
      findings.mismatches.some((line) => expected.test(line)),
      name,
    )
  }

  function first(stub: Awaited<ReturnType<typeof stubServer>>) {
    const [post] = stub.posts
    if (!post) throw new Error('the stub has no post yet')
    return post
  }
})
