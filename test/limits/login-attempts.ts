import type { Db } from 'mongodb'
import type { Test } from 'tap'
import { type Answer, ask, expectProblem } from '../http/wire.ts'

type RequestOptions = {
  /** A wrong one unless given. */
  password?: string
  /** Where a proxy says that it comes from. */
  from?: string
  cookie?: string
}

/** One try to log in. */
export function tryOnce(port: number, username: string, options: RequestOptions = {}): Promise<Answer> {
  const { password = 'not the password', from, cookie } = options
  const headers = { ...(from !== undefined && { 'x-forwarded-for': from }), ...(cookie !== undefined && { cookie }) }
  return ask(port, 'POST', '/v1/session', { json: { username, password }, headers })
}

/** So many tries, all at once: no more than 60, as no more wait for their hash. */
export function tryOften(
  port: number,
  username: string,
  times: number,
  options: RequestOptions = {},
): Promise<Answer[]> {
  return Promise.all(Array.from({ length: times }, () => tryOnce(port, username, options)))
}

/** How many answers have each status. */
export function statuses(answers: readonly Answer[]): Record<number, number> {
  const found: Record<number, number> = {}
  for (const { status } of answers) found[status] = (found[status] ?? 0) + 1
  return found
}

/** Holds an answer against what a client must be told over a limit. */
export function isLimited(t: Test, answer: Answer | undefined, name: string, quota: number): void {
  expectProblem(t, answer, 'rate-limited', `over ${name}`)
  const seconds = Number(answer?.headers['retry-after'])
  t.ok(seconds >= 1 && seconds <= 900, `Retry-After is ${seconds}`)
  t.equal(answer?.headers['ratelimit-policy'], `"${name}";q=${quota};w=900`)
  t.equal(answer?.headers.ratelimit, `"${name}";r=0;t=${seconds}`)
  t.equal(answer?.headers['set-cookie'], undefined)
}

type Attempts = { _id: string; taken: { at: Date }[] }

/**
 * How many failed logins count under a limit, for everyone together.
 * @param name - of the limit: a pattern takes several.
 */
export async function counted(db: Db, name: string): Promise<number> {
  const found = await db
    .collection<Attempts>('attempts')
    .find({ _id: new RegExp(`^${name}:`) })
    .toArray()
  return found.flatMap(({ taken }) => taken).length
}

/** Makes all failed logins older than they are. */
export async function age(db: Db, seconds: number): Promise<void> {
  const older = { $mergeObjects: ['$$this', { at: { $subtract: ['$$this.at', seconds * 1_000] } }] }
  const aged = { $map: { input: '$taken', in: older } }
  await db.collection('attempts').updateMany({}, [{ $set: { taken: aged } }])
}

/** The cookie by which an account knows a browser again, of all that it has been given. */
export function deviceIn(cookies: string): string {
  const found = /device=[^;]+/.exec(cookies)?.[0]
  if (!found) throw new Error('no device cookie')
  return found
}
