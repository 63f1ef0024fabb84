import { httpRequest } from '../load/plan.ts'
import { pathOf, signUp, textOf } from './people.ts'
import { acknowledged, mustBe, type Scenario } from './scenario.ts'

const authors = 16

/** Every connection writes posts, as one of some people. */
const creating = (name: string, connections: number, target: number | null): Scenario => ({
  name,
  title: 'create a post',
  connections,
  against: 'bare',
  target,
  async prepare(side, url, db) {
    const people = side === 'bare' ? [] : await signUp(url, authors)
    const plans = Array.from({ length: connections }, (_, n) => {
      const cookie = people[n % authors]?.cookie
      const options = { body: { text: textOf(n) }, ...(cookie !== undefined && { cookie }) }
      return { templates: [httpRequest('POST', pathOf(side), options)], start: 0 }
    })
    return {
      plans,
      values: [],
      async check(history) {
        const written = acknowledged(history)
        const faults = mustBe(written, await db.collection('posts').countDocuments(), `${side}: posts`)
        if (side === 'bare') return faults
        const counts = await db.collection<{ posts: number }>('accountCounts').find().toArray()
        const counted = counts.reduce((sum, { posts }) => sum + posts, 0)
        return [...faults, ...mustBe(written, counted, `${side}: posts in their authors’ counts`)]
      },
    }
  },
})

export const create = creating('create', 256, 2)
/** The fewer write at the same time, the fewer share a transaction. */
export const createByFew = creating('create-by-few', 64, null)
