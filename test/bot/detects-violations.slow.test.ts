import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { runAgainst } from './run-crowd.ts'
import { stubServer } from './stub-server.ts'

type Stub = Awaited<ReturnType<typeof stubServer>>

const size = { users: 10, posts: 3, replies: 4, follows: 6, reactions: 10, deletions: 20, seed: 4 }

/** A run against a server whose data `violate` changes before the verification. */
async function runWith(t: Test, violate: (stub: Stub, before: Stub['posts']) => void) {
  const stub = await stubServer(t)
  let before: Stub['posts'] = []
  const onPhase = (name: string) => {
    if (name === 'delete') before = [...stub.posts]
    if (name === 'verify') violate(stub, before)
  }
  return { stub, ...(await runAgainst(stub.url, { ...size, onPhase })) }
}

const one = <T>(found: T | undefined): T => {
  if (found === undefined) throw new Error('the stub has none')
  return found
}

t.test('a full run with replies, follows and deletions succeeds', async (t) => {
  const { stub, findings, stats } = await runWith(t, () => undefined)
  t.strictSame(findings.mismatches, [])
  t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures() })
  t.equal(stub.accounts.size, 8, 'two accounts are deleted')
  t.ok(findings.totals.follows > 20)
  t.ok(findings.totals.deleted > 5, `${findings.totals.deleted} deletions`)
  for (const action of ['reply', 'follow', 'unfollow', 'read timeline', 'delete post', 'delete account']) {
    t.ok((stats.rows().find((row) => row.action === action)?.count ?? 0) > 0, action)
  }
})

t.test('a vanished, altered or resurrected follow, reply, post, account or reaction is a mismatch', async (t) => {
  const isReply = ({ replyTo }: Stub['posts'][number]) => replyTo !== null
  const violations: [string, (stub: Stub, before: Stub['posts']) => void, RegExp][] = [
    ['a follow vanishes', ({ follows }) => follows.delete(one([...follows][0])), /is not listed/],
    ['a follow appears', ({ follows, accounts }) => addFollow(follows, [...accounts.keys()]), /unexpectedly/],
    ['a reply vanishes', (stub) => stub.posts.splice(stub.posts.findIndex(isReply), 1), /acknowledged, but missing/],
    [
      'a reply turns into a root post',
      (stub) => Object.assign(one(stub.posts.find(isReply)), { replyTo: null }),
      /expected replyTo/,
    ],
    [
      'a deleted post reappears',
      (stub, before) => stub.posts.push(one(before.find((post) => !stub.posts.includes(post)))),
      /deleted, but still present/,
    ],
    [
      'a deleted account reappears',
      ({ accounts, requests }) => {
        const names = requests.map(({ path }) => path.split('/')[3] ?? '')
        const gone = one(names.find((name) => name.includes('_') && !accounts.has(name)))
        accounts.set(gone, { username: gone, password: '' })
      },
      /account \w+: deleted, but still present/,
    ],
    [
      'a reaction outlives its account',
      ({ posts, accounts, requests }) => {
        const names = requests.map(({ path }) => path.split('/')[3] ?? '')
        const gone = one(names.find((name) => name.includes('_') && !accounts.has(name)))
        one(posts[0]).reactions.set(gone, 'like')
      },
      /a like by \w+, who never reacted|expected like count/,
    ],
  ]
  for (const [name, violate, expected] of violations) {
    const { findings } = await runWith(t, violate)
    t.match(findings.mismatches.join('\n'), expected, name)
  }
})

t.test('a timeline with missing, duplicate, reordered or unexpected posts is a mismatch', async (t) => {
  type Shown = { id: string; createdAt: string; replyTo: string | null }
  const falsifications: [string, (items: Shown[]) => Shown[], RegExp][] = [
    ['one is missing', (items) => items.slice(1), /the timeline of \w+: post [\w-]+ is missing/],
    ['one is listed twice', (items) => [...items, ...items.slice(-1)], /more than once/],
    ['another order', (items) => items.toReversed(), /is out of order/],
    [
      'a post of another author',
      (items) => [{ ...one(items[0]), id: 'x', createdAt: '2100-01-01T00:00:00Z' }, ...items],
      /is unexpected/,
    ],
    ['a reply', (items) => items.map((item, n) => (n === 0 ? { ...item, replyTo: 'p' } : item)), /a reply/],
  ]
  for (const [name, falsify, expected] of falsifications) {
    const stub = await stubServer(t)
    stub.falsify = (path, body) => {
      if (path !== '/v1/timeline') return body
      const page = body as { items: Shown[] } // The stub's own response.
      return { ...page, items: falsify(page.items) }
    }
    const { findings } = await runAgainst(stub.url, size)
    t.match(findings.mismatches.join('\n'), expected, name)
  }
})

t.test('a deletion without response may have been applied or not', async (t) => {
  for (const fault of ['drop', 'apply, then drop'] as const) {
    const stub = await stubServer(t, ({ method, url = '' }) =>
      method === 'DELETE' && (url === '/v1/account' || /^\/v1\/posts\/[\w-]+$/.test(url)) ? fault : undefined,
    )
    const { findings } = await runAgainst(stub.url, { ...size, totalMs: 300 })
    t.strictSame(findings.mismatches, [], fault)
    t.ok(findings.totals.unknown > 0 || fault === 'apply, then drop', `${findings.totals.unknown} unknown outcomes`)
  }
})

/** Adds a follow that no robot asked for. */
function addFollow(follows: Set<string>, names: string[]): void {
  const pairs = names.flatMap((from) => names.map((to) => `${from} ${to}`))
  follows.add(one(pairs.find((pair) => !follows.has(pair) && new Set(pair.split(' ')).size === 2)))
}
