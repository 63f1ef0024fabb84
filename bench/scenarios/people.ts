import { randomBytes } from 'node:crypto'
import { slotFor } from '../load/plan.ts'
import type { Side } from '../servers/server.ts'

/** Somebody who has signed up, and the cookie of the session. */
export type Person = { id: string; cookie: string }

/** Does something so many times, a few at a time; the results in order. */
async function times<Result>(count: number, work: (n: number) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const go = async () => {
    for (let n = next++; n < count; n = next++) results[n] = await work(n)
  }
  await Promise.all(Array.from({ length: 16 }, go))
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

async function idIn(response: Response): Promise<string> {
  const body: unknown = await response.json()
  if (typeof body === 'object' && body !== null && 'id' in body) return String(body.id)
  throw new Error('an answer without an id')
}

/** Signs up so many people. */
export function signUp(url: string, count: number): Promise<Person[]> {
  return times(count, async () => {
    const username = `u${randomBytes(8).toString('hex')}`
    const response = await post(`${url}/v1/accounts`, { username, password: 'three blind mice sing 7 songs' })
    const cookies = response.headers.getSetCookie().map((header) => header.split(';', 1)[0] ?? '')
    const cookie = cookies.find((pair) => pair.startsWith('session='))
    if (cookie === undefined) throw new Error('a sign-up without a session')
    return { id: await idIn(response), cookie }
  })
}

/** Where a side takes posts. */
export const pathOf = (side: Side) => (side === 'bare' ? '/posts' : '/v1/posts')

/** A post's text; no two have the same. */
export const textOf = (author: number, number = slotFor()) =>
  `This is what connection ${author} has to say, and says it as number ${number}: all is well in the rookery.`

/** Writes so many posts, as these people in turn; their ids. */
export function writePosts(side: Side, url: string, people: readonly Person[], count: number): Promise<string[]> {
  return times(count, async (n) => {
    const author = people[n % people.length]
    return idIn(await post(url + pathOf(side), { text: textOf(n) }, author?.cookie))
  })
}
