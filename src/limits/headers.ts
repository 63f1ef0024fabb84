import { Problem } from '../http/problems.ts'

/** A quota per window: clients parse the `name`, people read the `description`, or the complete `detail`. */
export type Limit = { name: string; description: string; quota: number; windowSeconds: number; detail?: string }

export const limitWindowSeconds = 900

/** The headers of draft-ietf-httpapi-ratelimit-headers-10; `seconds` until more of the quota is available. */
export function limitHeaders(limit: Limit, remaining: number, seconds: number): Record<string, string> {
  const { name, quota, windowSeconds } = limit
  return {
    'ratelimit-policy': `"${name}";q=${quota};w=${windowSeconds}`,
    ratelimit: `"${name}";r=${Math.max(0, remaining)};t=${seconds}`,
  }
}

export function rateLimited(limit: Limit, seconds: number): Problem {
  const { description, quota, windowSeconds } = limit
  const detail =
    limit.detail ?? `At most ${quota} ${description} are allowed in ${windowSeconds / 60} minutes: try again later.`
  return new Problem('rate-limited', detail, {
    headers: { ...limitHeaders(limit, 0, seconds), 'retry-after': String(seconds) },
  })
}
