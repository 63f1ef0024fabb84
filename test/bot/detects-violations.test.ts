import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report.ts'
import { runAgainst } from './run-crowd.ts'
import { stubServer } from './stub-server.ts'

type Stub = Awaited<ReturnType<typeof stubServer>>

const size = { users: 10, posts: 3, replies: 4, follows: 6, reactions: 10, deletions: 20, seed: 4 }

/** A run against a server that keeps its word until the reading back begins. */
async function runWith(t: Test, breach: (stub: Stub, before: Stub['posts']) => void) {
  const stub = await stubServer(t)
  let before: Stub['posts'] = []
  const onPhase = (name: string) => {
    if (name === 'part') before = [...stub.posts]
    if (name === 'read back') breach(stub, before)
  }
  return { stub, ...(await runAgainst(stub.url, { ...size, onPhase })) }
}

const one = <T>(found: T | undefined): T => {
  if (found === undefined) throw new Error('the stub has none')
  return found
}

t.test('a whole day with replies, follows and deletions agrees', async (t) => {
  const { stub, findings, stats } = await runWith(t, () => undefined)
  t.strictSame(findings.mismatches, [])
  t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures() })
  t.equal(stub.members.size, 8, 'two have left')
  t.ok(findings.totals.follows > 20)
  t.ok(findings.totals.deleted > 5, `${findings.totals.deleted} deletions`)
  for (const action of ['reply', 'follow', 'unfollow', 'read timeline', 'delete post', 'delete account']) {
    t.ok((stats.rows().find((row) => row.action === action)?.count ?? 0) > 0, action)
  }
})

t.test('whatever is not as it was acknowledged is found', async (t) => {
  const isReply = ({ replyTo }: Stub['posts'][number]) => replyTo !== null
  const breaches: [string, (stub: Stub, before: Stub['posts']) => void, RegExp][] = [
    ['a follow vanishes', ({ follows }) => follows.delete(one([...follows][0])), /is not listed/],
    ['a follow appears', ({ follows, members }) => addFollow(follows, [...members.keys()]), /expected not/],
    ['a reply vanishes', (stub) => stub.posts.splice(stub.posts.findIndex(isReply), 1), /acknowledged, but not there/],
    [
      'a reply is a post',
      (stub) => Object.assign(one(stub.posts.find(isReply)), { replyTo: null }),
      /shown as a reply/,
    ],
    [
      'a deleted post is back',
      (stub, before) => stub.posts.push(one(before.find((post) => !stub.posts.includes(post)))),
      /deleted, but still there/,
    ],
    [
      'a deleted account is back',
      ({ members, requests }) => {
        const names = requests.map(({ path }) => path.split('/')[3] ?? '')
        const gone = one(names.find((name) => name.includes('_') && !members.has(name)))
        members.set(gone, { username: gone, password: '' })
      },
      /account \w+: deleted, but still there/,
    ],
    [
      'a reaction outlives its account',
      ({ posts, members, requests }) => {
        const names = requests.map(({ path }) => path.split('/')[3] ?? '')
        const gone = one(names.find((name) => name.includes('_') && !members.has(name)))
        one(posts[0]).reactions.set(gone, 'like')
      },
      /a like by \w+, who never reacted|expected \d+ likes/,
    ],
  ]
  for (const [name, breach, sentence] of breaches) {
    const { findings } = await runWith(t, breach)
    t.match(findings.mismatches.join('\n'), sentence, name)
  }
})

t.test('a timeline that shows too much or too little is found', async (t) => {
  type Shown = { id: string; createdAt: string; replyTo: string | null }
  const falsifications: [string, (items: Shown[]) => Shown[], RegExp][] = [
    ['one is missing', (items) => items.slice(1), /the timeline of \w+: post [\w-]+ is missing/],
    ['one comes twice', (items) => [...items, ...items.slice(-1)], /more than once/],
    ['another order', (items) => items.toReversed(), /is not in its order/],
    ['a stranger’s', (items) => [{ ...one(items[0]), id: 'x', createdAt: '2100-01-01T00:00:00Z' }, ...items], /belong/],
    ['a reply', (items) => items.map((item, n) => (n === 0 ? { ...item, replyTo: 'p' } : item)), /a reply/],
  ]
  for (const [name, falsify, sentence] of falsifications) {
    const stub = await stubServer(t)
    stub.falsify = (path, body) => {
      if (path !== '/v1/timeline') return body
      const page = body as { items: Shown[] } // what the stub itself answers
      return { ...page, items: falsify(page.items) }
    }
    const { findings } = await runAgainst(stub.url, size)
    t.match(findings.mismatches.join('\n'), sentence, name)
  }
})

t.test('a deletion without an answer may have happened or not', async (t) => {
  for (const fault of ['drop', 'carry out, then drop'] as const) {
    const stub = await stubServer(t, ({ method, url = '' }) =>
      method === 'DELETE' && (url === '/v1/account' || /^\/v1\/posts\/[\w-]+$/.test(url)) ? fault : undefined,
    )
    const { findings } = await runAgainst(stub.url, { ...size, total: 300 })
    t.strictSame(findings.mismatches, [], fault)
    t.ok(findings.totals.unknown > 0 || fault === 'carry out, then drop', `${findings.totals.unknown} are unknown`)
  }
})

/** Lets somebody follow whom they do not. */
function addFollow(follows: Set<string>, names: string[]): void {
  const pairs = names.flatMap((from) => names.map((to) => `${from} ${to}`))
  follows.add(one(pairs.find((pair) => !follows.has(pair) && new Set(pair.split(' ')).size === 2)))
}
