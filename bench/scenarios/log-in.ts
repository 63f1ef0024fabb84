import type { TestAccount } from '../apis/api.ts'
import { type Plan, slotFor } from '../load/plan.ts'
import { type Side, sides } from '../sides.ts'
import { createPosts, signUp } from './accounts.ts'
import type { Scenario } from './scenario.ts'

/** PocketBase's default, which is the least that OWASP recommends. */
export const bcryptCost = 10

const people = 16
const postCount = 1_000

/** Each account logs in on a connection of its own. */
const loggingIn = (side: Side, accounts: readonly TestAccount[]): Plan[] =>
  Array.from({ length: people }, (_, n) => ({
    templates: [sides[side].api.logIn(accounts[n]?.username ?? '')],
    start: 0,
  }))

export const logIn: Scenario = {
  name: 'log-in',
  title: 'log in',
  against: ['flask', 'express', 'pocketbase', 'bcrypt'],
  loads: [{ connections: people }],
  bcryptCost,
  async prepare({ side, port }) {
    return { plans: loggingIn(side, await signUp(side, port, people)), values: [], check: async () => [] }
  },
}

/** Reading posts at a rate, without other load and while 16 connections log in all the time. */
export const readDuringLogins: Scenario = {
  name: 'login-storm',
  title: 'read a post',
  against: ['flask', 'express', 'pocketbase'],
  loads: [{ perSecond: 100 }, { perSecond: 100, duringLogins: true }],
  bcryptCost,
  async prepare({ side, port, connections }) {
    const accounts = await signUp(side, port, people)
    const values = await createPosts(side, port, accounts, postCount)
    const plans = Array.from({ length: connections }, (_, n) => ({
      templates: [sides[side].api.readPost(slotFor(values[0]))],
      start: Math.floor((n * postCount) / connections),
    }))
    return { plans, values, logins: loggingIn(side, accounts), check: async () => [] }
  },
}
