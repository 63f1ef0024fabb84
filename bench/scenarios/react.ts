import type { Db } from 'mongodb'
import type { PostDocument } from '../../src/posts/model.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'
import { httpRequest, type Plan, requestAt, slotFor } from '../load/plan.ts'
import { createPosts, signUp, type TestAccount } from './accounts.ts'
import { expectCount, type History, type Scenario } from './scenario.ts'

const connections = 256
const reactions = ['like', 'dislike']

type Setup = { accounts: readonly TestAccount[]; posts: readonly string[]; plans: readonly Plan[] }

const pairName = (post: string, account: string) => `${post} ${account}`

/** Each account's expected reaction to each post; null where the last request was refused. */
function expectedReactions({ accounts, posts, plans }: Setup, { done, refused }: History): Map<string, string | null> {
  const refusedRequests = new Set(refused.map(({ connection, request }) => `${connection} ${request}`))
  const last = new Map<string, string | null>()
  for (const [n, plan] of plans.entries()) {
    for (let request = 0; request < (done[n] ?? 0); request += 1) {
      const { template, value } = requestAt(plan, posts.length, request)
      const name = pairName(posts[value] ?? '', accounts[n]?.id ?? '')
      last.set(name, refusedRequests.has(`${n} ${request}`) ? null : (reactions[template] ?? null))
    }
  }
  return last
}

/** Compares the reactions with what was acknowledged, and the posts' counts with the reactions. */
async function check(side: string, setup: Setup, history: History, db: Db): Promise<string[]> {
  const stored = new Map<string, string>()
  const sums = new Map<string, number>()
  for await (const { post, account, value } of db.collection<ReactionDocument>('reactions').find()) {
    stored.set(pairName(post.toString(), account.toString()), value)
    const sum = `${post.toString()} ${value}`
    sums.set(sum, (sums.get(sum) ?? 0) + 1)
  }
  const acknowledged = expectedReactions(setup, history)
  let wrong = 0
  for (const [name, value] of acknowledged) if (value !== null && stored.get(name) !== value) wrong += 1
  for (const name of stored.keys()) if (!acknowledged.has(name)) wrong += 1

  let miscounted = 0
  for await (const { _id, counts } of db.collection<PostDocument>('posts').find()) {
    const sum = (value: string) => sums.get(`${_id.toString()} ${value}`) ?? 0
    if (counts.likes !== sum('like') || counts.dislikes !== sum('dislike')) miscounted += 1
  }
  return [
    ...expectCount(0, wrong, `${side}: reactions that differ from what was acknowledged`),
    ...expectCount(0, miscounted, `${side}: posts whose counts differ from their reactions`),
  ]
}

/** Every connection is an account of its own, which likes, dislikes and likes again. */
function reacting(name: string, title: string, target: number | null, postCount: number): Scenario {
  return {
    name,
    title,
    connections,
    against: 'one-transaction',
    target,
    async prepare(side, url, db) {
      const accounts = await signUp(url, connections)
      const posts = await createPosts(side, url, accounts, postCount)
      const plans = accounts.map(({ cookie }, n) => ({
        templates: reactions.map((value) =>
          httpRequest('PUT', `/v1/posts/${slotFor(posts[0])}/reaction`, { cookie, body: { value } }),
        ),
        start: Math.floor((n * postCount) / connections),
      }))
      const setup = { accounts, posts, plans }
      return { plans, values: posts, check: (history) => check(side, setup, history, db) }
    },
  }
}

export const reactOnePost = reacting('react-one-post', 'react to one post, all to the same', 25, 1)
export const reactManyPosts = reacting('react-many-posts', 'react to 1,000 posts', null, 1_000)
