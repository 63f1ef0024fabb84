import t, { type Test } from 'tap'
import { testServer } from '../helper.ts'
import { type Lie, lyingProxy, problem } from './lying-proxy.ts'
import { runAgainst } from './run-crowd.ts'

/** Five robots, so that one tries to change the post of another. */
const size = { users: 5, posts: 1, replies: 0, follows: 0, reactions: 0, deletions: 0 }

/** Answers so many attempts of each kind to change a post of another as if the session had expired. */
async function findingsWhen(t: Test, expired: number) {
  const { url } = await testServer(t)
  const left = new Map([
    ['PATCH', expired],
    ['DELETE', expired],
  ])
  const lie: Lie = async ({ method, path, body }, forward) => {
    const isTrespass = path.startsWith('/v1/posts/') && (method === 'DELETE' || body.includes('not my post'))
    const times = isTrespass ? (left.get(method) ?? 0) : 0
    if (isTrespass) left.set(method, times - 1)
    return times > 0 ? problem(401, 'unauthenticated') : forward()
  }
  const proxy = await lyingProxy(url, lie)
  t.teardown(proxy.close)
  const { findings } = await runAgainst(proxy.url, { ...size, seed: 1, totalMs: 60_000, attemptTimeoutMs: 20_000 })
  return { findings: findings.findings, left: [...left.values()] }
}

t.test('a session that has expired before a call that must be refused is renewed', async (t) => {
  const { findings, left } = await findingsWhen(t, 1)
  t.strictSame(findings, [])
  t.ok(
    left.every((times) => times <= 0),
    'both calls met it',
  )
})

t.test('a session that has been renewed does not expire at once', async (t) => {
  const { findings } = await findingsWhen(t, 2)
  t.match(findings, [
    { rule: 'N', seen: '401', expected: '403 or 404' },
    { rule: 'N', seen: '401' },
  ])
})
