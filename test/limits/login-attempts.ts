import { setTimeout as sleep } from 'node:timers/promises'
import { type Db, UUID } from 'mongodb'
import type { Test } from 'tap'
import { type Answer, ask, expectProblem } from '../http/wire.ts'

type RequestOptions = {
  /** By default a wrong one. */
  password?: string
  /** The client's address in X-Forwarded-For. */
  from?: string
  cookie?: string
}

/** Attempts one login. */
export function attemptLogin(port: number, username: string, options: RequestOptions = {}): Promise<Answer> {
  const { password = 'not the password', from, cookie } = options
  const headers = { ...(from !== undefined && { 'x-forwarded-for': from }), ...(cookie !== undefined && { cookie }) }
  return ask(port, 'POST', '/v1/session', { json: { username, password }, headers })
}

/** Attempts concurrent logins. */
export function attemptLogins(
  port: number,
  username: string,
  times: number,
  options: RequestOptions = {},
): Promise<Answer[]> {
  return Promise.all(Array.from({ length: times }, () => attemptLogin(port, username, options)))
}

/** The number of answers with each status. */
export function countStatuses(answers: readonly Answer[]): Record<number, number> {
  const found: Record<number, number> = {}
  for (const { status } of answers) found[status] = (found[status] ?? 0) + 1
  return found
}

/** Expects the response of a client over a limit: 429 with the headers that describe the limit. */
export function expectLimited(t: Test, answer: Answer | undefined, name: string, quota: number): void {
  expectProblem(t, answer, 'rate-limited', `over ${name}`)
  const seconds = Number(answer?.headers['retry-after'])
  t.ok(seconds >= 1 && seconds <= 900, `Retry-After is ${seconds}`)
  t.equal(answer?.headers['ratelimit-policy'], `"${name}";q=${quota};w=900`)
  t.equal(answer?.headers.ratelimit, `"${name}";r=0;t=${seconds}`)
  t.equal(answer?.headers['set-cookie'], undefined)
}

type Attempts = { _id: string; taken: { at: Date }[] }

/**
 * The number of failed logins that count against a limit, of all clients.
 * @param name - of the limit; as a pattern of several.
 */
export async function countAttempts(db: Db, name: string): Promise<number> {
  const found = await db
    .collection<Attempts>('attempts')
    .find({ _id: new RegExp(`^${name}:`) })
    .toArray()
  return found.flatMap(({ taken }) => taken).length
}

/** Moves all failed logins into the past. */
export async function ageAttempts(db: Db, seconds: number): Promise<void> {
  const older = { $mergeObjects: ['$$this', { at: { $subtract: ['$$this.at', seconds * 1_000] } }] }
  const aged = { $map: { input: '$taken', in: older } }
  await db.collection('attempts').updateMany({}, [{ $set: { taken: aged } }])
}

/** What a server remembers of refusals that are no longer right: see limits/recent-refusals.ts. */
export const forgetRefusals = () => sleep(1_000)

/** The device cookie among a browser's cookies. */
export function deviceCookieIn(cookies: string): string {
  const found = /device=[^;]+/.exec(cookies)?.[0]
  if (!found) throw new Error('no device cookie')
  return found
}

/** As if the first logins of all devices were long ago. */
export async function ageDevices(db: Db): Promise<void> {
  const id = new UUID('00000000-0000-7000-8000-000000000001')
  await db.collection('devices').updateMany({}, { $set: { id } })
}
