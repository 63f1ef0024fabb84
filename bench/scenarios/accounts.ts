import { randomBytes } from 'node:crypto'
import { slotFor } from '../load/plan.ts'
import type { Side } from '../servers/server.ts'

/** An account, and the cookie of its session. */
export type TestAccount = { id: string; cookie: string }

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

async function post(url: string, body: object, cookie?: string): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(cookie !== undefined && { cookie }) },
    body: JSON.stringify(body),
  })
  if (response.status !== 201) throw new Error(`POST ${url} answered ${response.status}: ${await response.text()}`)
  return response
}

async function readId(response: Response): Promise<string> {
  const body: unknown = await response.json()
  if (typeof body === 'object' && body !== null && 'id' in body) return String(body.id)
  throw new Error('the response has no id')
}

/** Signs up accounts. */
export function signUp(url: string, count: number): Promise<TestAccount[]> {
  return repeat(count, async () => {
    const username = `u${randomBytes(8).toString('hex')}`
    const response = await post(`${url}/v1/accounts`, { username, password: 'three blind mice sing 7 songs' })
    const cookies = response.headers.getSetCookie().map((header) => header.split(';', 1)[0] ?? '')
    const cookie = cookies.find((pair) => pair.startsWith('session='))
    if (cookie === undefined) throw new Error('the sign-up set no session cookie')
    return { id: await readId(response), cookie }
  })
}

/** The path to create posts at. */
export const postPath = (side: Side) => (side === 'bare' ? '/posts' : '/v1/posts')

/** A post's text, different for each post. */
export const postText = (author: number, number = slotFor()) =>
  `Post number ${number} of connection ${author}, of about the length that posts have: all is well in the rookery today.`

/**
 * Creates posts, with the accounts as authors in turn.
 * @returns their ids.
 */
export function createPosts(
  side: Side,
  url: string,
  authors: readonly TestAccount[],
  count: number,
): Promise<string[]> {
  return repeat(count, async (n) => {
    const author = authors[n % authors.length]
    return readId(await post(url + postPath(side), { text: postText(n) }, author?.cookie))
  })
}
