import { slotFor } from '../load/plan.ts'
import { sides } from '../sides.ts'
import { createPosts, signUp } from './accounts.ts'
import { closedLoops, expectCount, type Scenario } from './scenario.ts'

const postCount = 1_000
const authors = 16

/** Every connection reads, from 1,000 posts of 16 accounts. */
const reading = (
  { name, title, against, loads }: Pick<Scenario, 'name' | 'title' | 'against' | 'loads'>,
  what: 'post' | 'post-with-session' | 'newest',
): Scenario => ({
  name,
  title,
  against,
  loads,
  async prepare({ side, port, stored, connections }) {
    const { api } = sides[side]
    const accounts = await signUp(side, port, authors)
    const values = await createPosts(side, port, accounts, postCount)
    const plans = Array.from({ length: connections }, (_, n) => {
      const viewer = what === 'post-with-session' ? accounts[n % authors] : undefined
      const request = what === 'newest' ? api.newestPosts() : api.readPost(slotFor(values[0]), viewer)
      return { templates: [request], start: Math.floor((n * postCount) / connections) }
    })
    return {
      plans,
      values,
      check: async () => expectCount(postCount, await stored.countPosts(), `${side}: posts`),
    }
  },
})

const peers = ['flask', 'express', 'pocketbase', 'bare'] as const

export const read = reading(
  { name: 'read', title: 'read a post', against: peers, loads: [...closedLoops, { perSecond: 100 }] },
  'post',
)
/** The bare server has no sessions. */
export const readWithSession = reading(
  { name: 'read-with-session', title: 'read a post, with a session', against: ['bare'], loads: [{ connections: 64 }] },
  'post-with-session',
)
export const newest = reading({ name: 'newest', title: 'newest 20', against: peers, loads: closedLoops }, 'newest')
