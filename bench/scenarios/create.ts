import type { Plan } from '../load/plan.ts'
import { sides } from '../sides.ts'
import { postText, signUp } from './accounts.ts'
import { acknowledged, closedLoops, expectCount, type Scenario } from './scenario.ts'

const authors = 16

/** Every connection creates posts, as one of 16 accounts. */
export const create: Scenario = {
  name: 'create',
  title: 'create a post',
  against: ['flask', 'express', 'pocketbase', 'bare'],
  loads: [...closedLoops, { perSecond: 50 }],
  async prepare({ side, port, stored, connections }) {
    const accounts = await signUp(side, port, authors)
    const plans: Plan[] = Array.from({ length: connections }, (_, n) => ({
      templates: [sides[side].api.createPost(accounts[n % authors], postText(n))],
      start: 0,
    }))
    return {
      plans,
      values: [],
      async check(history) {
        const written = acknowledged(history)
        const counted = (await stored.sumOfPostCounts()) ?? written
        return [
          ...expectCount(written, await stored.countPosts(), `${side}: posts`),
          ...expectCount(written, counted, `${side}: posts in their authors’ counts`),
        ]
      },
    }
  },
}
