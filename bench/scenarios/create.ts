import { httpRequest } from '../load/plan.ts'
import { postPath, postText, signUp } from './accounts.ts'
import { acknowledged, expectCount, type Scenario } from './scenario.ts'

const authors = 16

/** Every connection creates posts, as one of 16 accounts. */
const creating = (name: string, connections: number, target: number | null): Scenario => ({
  name,
  title: 'create a post',
  connections,
  against: 'bare',
  target,
  async prepare(side, url, db) {
    const accounts = side === 'bare' ? [] : await signUp(url, authors)
    const plans = Array.from({ length: connections }, (_, n) => {
      const cookie = accounts[n % authors]?.cookie
      const options = { body: { text: postText(n) }, ...(cookie !== undefined && { cookie }) }
      return { templates: [httpRequest('POST', postPath(side), options)], start: 0 }
    })
    return {
      plans,
      values: [],
      async check(history) {
        const written = acknowledged(history)
        const faults = expectCount(written, await db.collection('posts').countDocuments(), `${side}: posts`)
        if (side === 'bare') return faults
        const counts = await db.collection<{ posts: number }>('accountCounts').find().toArray()
        const counted = counts.reduce((sum, { posts }) => sum + posts, 0)
        return [...faults, ...expectCount(written, counted, `${side}: posts in their authors’ counts`)]
      },
    }
  },
})

export const create = creating('create', 256, 2)
/** With fewer concurrent requests, fewer share a transaction. */
export const createFewConnections = creating('create-64', 64, null)
