import type { TestAccount } from '../apis/api.ts'
import { type Plan, requestAt, slotFor } from '../load/plan.ts'
import { sides } from '../sides.ts'
import { createPosts, signUp } from './accounts.ts'
import { checkReactions, pairName } from './reactions.ts'
import { closedLoops, type History, type Load, type Scenario } from './scenario.ts'

const values = ['like', 'dislike']

type Reacting = { accounts: readonly TestAccount[]; posts: readonly string[]; plans: readonly Plan[] }

/** Each account's expected reaction to each post; null where the last request was refused. */
function expectedReactions({ accounts, posts, plans }: Reacting, { done, refused }: History) {
  const refusedRequests = new Set(refused.map(({ connection, request }) => `${connection} ${request}`))
  const last = new Map<string, string | null>()
  for (const [n, plan] of plans.entries()) {
    for (let request = 0; request < (done[n] ?? 0); request += 1) {
      const { template, value } = requestAt(plan, posts.length, request)
      const name = pairName(posts[value] ?? '', accounts[n]?.id ?? '')
      last.set(name, refusedRequests.has(`${n} ${request}`) ? null : (values[template] ?? null))
    }
  }
  return last
}

/** Every connection is an account of its own, which likes, dislikes and likes again. */
const reacting = (name: string, title: string, postCount: number, loads: readonly Load[]): Scenario => ({
  name,
  title,
  against: ['flask', 'express', 'pocketbase', 'one-transaction'],
  onlyAt: { 'one-transaction': 256 },
  loads,
  async prepare({ side, port, stored, connections }) {
    const accounts = await signUp(side, port, connections)
    const posts = await createPosts(side, port, accounts, postCount)
    const plans = accounts.map((account, n) => ({
      templates: values.map((value) => sides[side].api.react(account, slotFor(posts[0]), value)),
      start: Math.floor((n * postCount) / connections),
    }))
    return {
      plans,
      values: posts,
      async check(history) {
        const expected = expectedReactions({ accounts, posts, plans }, history)
        return checkReactions(side, expected, await stored.reactions(), await stored.counts())
      },
    }
  },
})

export const reactOnePost = reacting('react-one-post', 'react to one post, all to the same', 1, closedLoops)
export const reactManyPosts = reacting('react-many-posts', 'react to 1,000 posts', 1_000, [
  ...closedLoops,
  { perSecond: 50 },
])
