import type { TestAccount } from '../apis/api.ts'
import { requestAt, slotFor } from '../load/plan.ts'
import { type Side, sides } from '../sides.ts'
import { createPosts, postText, signUp } from './accounts.ts'
import { bcryptCost } from './log-in.ts'
import { checkReactions, pairName } from './reactions.ts'
import { expectCount, type History, type Scenario } from './scenario.ts'

const postCount = 1_000
/** They only log in: a login can end an account's oldest session, which another connection would use. */
const loginAccounts = 4

type Kind = 'read' | 'newest' | 'who-am-i' | 'create' | 'like' | 'dislike' | 'log-in'

/** How many of 200 requests are of each kind. */
const shares: Record<Kind, number> = {
  read: 120,
  newest: 40,
  'who-am-i': 20,
  create: 9,
  like: 6,
  dislike: 4,
  'log-in': 1,
}

/** The kinds evenly spread, rotated so that connections do not send the same kind at the same time. */
function sequenceOf(connection: number): Kind[] {
  const kinds = Object.entries(shares).flatMap(([kind, share]) =>
    // Object.entries knows no literal types.
    Array.from({ length: share }, (_, n) => ({ kind: kind as Kind, at: (n + 0.5) / share })),
  )
  const spread = kinds.toSorted((one, other) => one.at - other.at).map(({ kind }) => kind)
  const by = (connection * 37) % spread.length
  return [...spread.slice(by), ...spread.slice(0, by)]
}

function requestFor(kind: Kind, side: Side, n: number, viewer: TestAccount | undefined, login: string, slot: string) {
  const { api } = sides[side]
  switch (kind) {
    case 'read':
      return api.readPost(slot, viewer)
    case 'newest':
      return api.newestPosts()
    case 'who-am-i':
      return api.whoAmI(viewer)
    case 'create':
      return api.createPost(viewer, postText(n, 'one of several'))
    case 'log-in':
      return api.logIn(login)
    default:
      return api.react(viewer, slot, kind)
  }
}

/** What must be stored: the number of posts, and each account's last reaction to each post. */
function expected(accounts: readonly TestAccount[], posts: readonly string[], { done, refused }: History) {
  const refusedRequests = new Set(refused.map(({ connection, request }) => `${connection} ${request}`))
  const reactions = new Map<string, string | null>()
  let postsWritten = posts.length
  for (const [n, account] of accounts.entries()) {
    const templates = sequenceOf(n)
    for (let request = 0; request < (done[n] ?? 0); request += 1) {
      const { template, value } = requestAt({ templates, start: n }, posts.length, request)
      const kind = templates[template]
      const isRefused = refusedRequests.has(`${n} ${request}`)
      if (kind === 'create' && !isRefused) postsWritten += 1
      if (kind === 'like' || kind === 'dislike')
        reactions.set(pairName(posts[value] ?? '', account.id), isRefused ? null : kind)
    }
  }
  return { postsWritten, reactions }
}

/** Reads, writes and logins, as a social network has them. */
export const mixed: Scenario = {
  name: 'mixed',
  title: 'mixed (reads, writes, logins)',
  against: ['flask', 'express', 'pocketbase'],
  loads: [{ connections: 16 }, { connections: 64 }],
  bcryptCost,
  async prepare({ side, port, stored, connections }) {
    const accounts = await signUp(side, port, connections)
    const logins = await signUp(side, port, loginAccounts)
    const posts = await createPosts(side, port, accounts, postCount)
    const plans = accounts.map((account, n) => {
      const login = logins[n % loginAccounts]?.username ?? ''
      const requests = sequenceOf(n).map((kind) => requestFor(kind, side, n, account, login, slotFor(posts[0])))
      return { templates: requests, start: n }
    })
    return {
      plans,
      values: posts,
      async check(history) {
        const { postsWritten, reactions } = expected(accounts, posts, history)
        return [
          ...expectCount(postsWritten, await stored.countPosts(), `${side}: posts`),
          ...checkReactions(side, reactions, await stored.reactions(), await stored.counts()),
        ]
      },
    }
  },
}
