import { httpRequest, slotFor } from '../load/plan.ts'
import { pathOf, signUp, writePosts } from './people.ts'
import { mustBe, type Scenario } from './scenario.ts'

const connections = 64
const postCount = 1_000
const authors = 16

/**
 * Every connection reads one post after another.
 * @param members - whether the readers have a session; the bare server has none in either case.
 */
function reading(name: string, title: string, target: number | null, members: boolean): Scenario {
  return {
    name,
    title,
    connections,
    against: 'bare',
    target,
    async prepare(side, url, db) {
      const people = side === 'bare' ? [] : await signUp(url, authors)
      const values = await writePosts(side, url, people, postCount)
      const plans = Array.from({ length: connections }, (_, n) => {
        const cookie = members ? people[n % authors]?.cookie : undefined
        const request = httpRequest(
          'GET',
          `${pathOf(side)}/${slotFor(values[0])}`,
          cookie === undefined ? {} : { cookie },
        )
        return { templates: [request], start: Math.floor((n * postCount) / connections) }
      })
      return {
        plans,
        values,
        check: async () => mustBe(postCount, await db.collection('posts').countDocuments(), `${side}: posts`),
      }
    },
  }
}

export const read = reading('read', 'read a post', 2, false)
export const readAsMember = reading('read-as-member', 'read a post, with a session', null, true)
