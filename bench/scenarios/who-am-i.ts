import { sides } from '../sides.ts'
import { signUp } from './accounts.ts'
import { closedLoops, type Scenario } from './scenario.ts'

const viewers = 16

/** Every connection asks whose session it has, as one of 16 accounts. */
export const whoAmI: Scenario = {
  name: 'who-am-i',
  title: 'who am I',
  against: ['flask', 'express', 'pocketbase', 'constant'],
  loads: [...closedLoops, { perSecond: 100 }],
  async prepare({ side, port, connections }) {
    const accounts = await signUp(side, port, viewers)
    const plans = Array.from({ length: connections }, (_, n) => ({
      templates: [sides[side].api.whoAmI(accounts[n % viewers])],
      start: 0,
    }))
    return { plans, values: [], check: async () => [] }
  },
}
