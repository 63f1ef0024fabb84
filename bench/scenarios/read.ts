import { httpRequest, slotFor } from '../load/plan.ts'
import { createPosts, postPath, signUp } from './accounts.ts'
import { expectCount, type Scenario } from './scenario.ts'

const connections = 64
const postCount = 1_000
const authors = 16

/**
 * Every connection reads one post after another.
 * @param withSession - whether the readers have a session; the bare server has none in either case.
 */
function reading(name: string, title: string, target: number | null, withSession: boolean): Scenario {
  return {
    name,
    title,
    connections,
    against: 'bare',
    target,
    async prepare(side, url, db) {
      const accounts = side === 'bare' ? [] : await signUp(url, authors)
      const values = await createPosts(side, url, accounts, postCount)
      const plans = Array.from({ length: connections }, (_, n) => {
        const cookie = withSession ? accounts[n % authors]?.cookie : undefined
        const request = httpRequest(
          'GET',
          `${postPath(side)}/${slotFor(values[0])}`,
          cookie === undefined ? {} : { cookie },
        )
        return { templates: [request], start: Math.floor((n * postCount) / connections) }
      })
      return {
        plans,
        values,
        check: async () => expectCount(postCount, await db.collection('posts').countDocuments(), `${side}: posts`),
      }
    },
  }
}

export const read = reading('read', 'read a post', 2, false)
export const readWithSession = reading('read-with-session', 'read a post, with a session', null, true)
