import type { Db } from 'mongodb'
import type { PostDocument } from '../../src/posts/model.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'
import { httpRequest, type Plan, requestAt, slotFor } from '../load/plan.ts'
import { type Person, signUp, writePosts } from './people.ts'
import { type History, mustBe, type Scenario } from './scenario.ts'

const connections = 256
const reactions = ['like', 'dislike']

type Given = { people: readonly Person[]; posts: readonly string[]; plans: readonly Plan[] }

const nameOf = (post: string, account: string) => `${post} ${account}`

/** What every account's reaction to every post must be; null where the last answer was no acknowledgement. */
function expected({ people, posts, plans }: Given, { done, refused }: History): Map<string, string | null> {
  const notDone = new Set(refused.map(({ connection, request }) => `${connection} ${request}`))
  const last = new Map<string, string | null>()
  for (const [n, plan] of plans.entries()) {
    for (let request = 0; request < (done[n] ?? 0); request += 1) {
      const { template, value } = requestAt(plan, posts.length, request)
      const name = nameOf(posts[value] ?? '', people[n]?.id ?? '')
      last.set(name, notDone.has(`${n} ${request}`) ? null : (reactions[template] ?? null))
    }
  }
  return last
}

/** Holds the reactions against what was acknowledged, and the counts of the posts against the reactions. */
async function check(side: string, given: Given, history: History, db: Db): Promise<string[]> {
  const kept = new Map<string, string>()
  const sums = new Map<string, number>()
  for await (const { post, account, value } of db.collection<ReactionDocument>('reactions').find()) {
    kept.set(nameOf(post.toString(), account.toString()), value)
    const sum = `${post.toString()} ${value}`
    sums.set(sum, (sums.get(sum) ?? 0) + 1)
  }
  const acknowledged = expected(given, history)
  let wrong = 0
  for (const [name, value] of acknowledged) if (value !== null && kept.get(name) !== value) wrong += 1
  for (const name of kept.keys()) if (!acknowledged.has(name)) wrong += 1

  let miscounted = 0
  for await (const { _id, counts } of db.collection<PostDocument>('posts').find()) {
    const sum = (value: string) => sums.get(`${_id.toString()} ${value}`) ?? 0
    if (counts.likes !== sum('like') || counts.dislikes !== sum('dislike')) miscounted += 1
  }
  return [
    ...mustBe(0, wrong, `${side}: reactions that are not what was acknowledged`),
    ...mustBe(0, miscounted, `${side}: posts whose counts are not those of their reactions`),
  ]
}

/** Every connection is somebody else, who likes, dislikes and likes again. */
function reacting(name: string, title: string, target: number | null, postCount: number): Scenario {
  return {
    name,
    title,
    connections,
    against: 'one-transaction',
    target,
    async prepare(side, url, db) {
      const people = await signUp(url, connections)
      const posts = await writePosts(side, url, people, postCount)
      const plans = people.map(({ cookie }, n) => ({
        templates: reactions.map((value) =>
          httpRequest('PUT', `/v1/posts/${slotFor(posts[0])}/reaction`, { cookie, body: { value } }),
        ),
        start: Math.floor((n * postCount) / connections),
      }))
      const given = { people, posts, plans }
      return { plans, values: posts, check: (history) => check(side, given, history, db) }
    },
  }
}

export const reactOnePost = reacting('react-one-post', 'react to one post, all to the same', 25, 1)
export const reactManyPosts = reacting('react-many-posts', 'react to 1,000 posts', null, 1_000)
