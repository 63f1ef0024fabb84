import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, TestAccount } from '../apis/api.ts'
import { idOf } from '../apis/api.ts'
import { exchange, Refused } from '../load/exchange.ts'
import { slotFor } from '../load/plan.ts'
import { type Side, sides } from '../sides.ts'

const attemptsMax = 20
const overloadPauseMs = 2_000

/** Runs `work` `count` times, 16 at a time; the results in order. */
async function repeat<Result>(count: number, work: (n: number) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const runNext = async () => {
    for (let n = next++; n < count; n = next++) results[n] = await work(n)
  }
  await Promise.all(Array.from({ length: 16 }, runNext))
  return results
}

/** Sends a request of the preparation, repeatedly while the server is overloaded, as on a busy machine. */
async function ask(port: number, request: string): Promise<Answer> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await exchange(port, request)
    } catch (error) {
      if (!(error instanceof Refused && error.isOverload) || attempts === attemptsMax) throw error
    }
    await sleep(overloadPauseMs)
  }
}

/** Signs up accounts; none on a server that knows no accounts. */
export function signUp(side: Side, port: number, count: number): Promise<TestAccount[]> {
  const { api, accounts } = sides[side]
  return repeat(accounts ? count : 0, async () => {
    const username = `u${randomBytes(8).toString('hex')}`
    const answers: Answer[] = []
    for (const request of api.signUp(username)) answers.push(await ask(port, request(answers)))
    return api.accountOf(username, answers)
  })
}

/** A post's text, different for each post. */
export const postText = (author: number, number = slotFor()) =>
  `Post number ${number} of connection ${author}, of about the length that posts have: all is well in the rookery today.`

/**
 * Creates posts, with the accounts as authors in turn.
 * @returns their ids.
 */
export function createPosts(
  side: Side,
  port: number,
  authors: readonly TestAccount[],
  count: number,
): Promise<string[]> {
  return repeat(count, async (n) =>
    idOf(await ask(port, sides[side].api.createPost(authors[n % authors.length], postText(n)))),
  )
}
