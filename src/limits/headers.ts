import { Problem } from '../http/problems.ts'

/** So many in so many seconds: `name` is for programs, `what` they are for people. */
export type Limit = { name: string; what: string; quota: number; window: number }

/** The seconds within which everything is counted. */
export const quarterHour = 900

/**
 * What tells a client of a limit (draft-ietf-httpapi-ratelimit-headers-10).
 * @param seconds - until there are more.
 */
export function limitHeaders({ name, quota, window }: Limit, left: number, seconds: number): Record<string, string> {
  return {
    'ratelimit-policy': `"${name}";q=${quota};w=${window}`,
    ratelimit: `"${name}";r=${Math.max(0, left)};t=${seconds}`,
  }
}

/**
 * The answer to who is over a limit.
 * @param seconds - until the client may try again.
 */
export function rateLimited(limit: Limit, seconds: number): Problem {
  const { what, quota, window } = limit
  return new Problem('rate-limited', `At most ${quota} ${what} are allowed in ${window / 60} minutes: try again later.`, {
    headers: { ...limitHeaders(limit, 0, seconds), 'retry-after': String(seconds) },
  })
}
