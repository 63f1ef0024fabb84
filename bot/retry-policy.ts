/** How long a robot tries, in milliseconds: one attempt, all attempts of one action, the first and the longest pause. */
export type RetryPolicy = { attempt: number; total: number; initialDelayMs: number; maxDelayMs: number }

export const defaultRetryPolicy: RetryPolicy = {
  attempt: 25_000,
  total: 60_000,
  initialDelayMs: 100,
  maxDelayMs: 5_000,
}

const worthRepeating = new Set([408, 429, 502, 503, 504])

/** Whether the same request may succeed a little later. */
export function isRetryable(status: number): boolean {
  return worthRepeating.has(status)
}

/**
 * The milliseconds that a `Retry-After` asks for (RFC 9110, 10.2.3: seconds or an HTTP date), or null when it is missing
 * or says neither.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | null {
  const value = header?.trim()
  if (!value) return null
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}

/**
 * Milliseconds to wait before the next attempt, or null when the retryPolicy would not last until then.
 *
 * @param spent milliseconds since the first attempt began
 * @param tries attempts made so far
 * @param asked what the server asked for, in milliseconds
 * @param chance from 0 to 1
 */
export function pause(
  retryPolicy: RetryPolicy,
  spent: number,
  tries: number,
  asked: number | null,
  chance: number,
): number | null {
  const growing = Math.min(retryPolicy.maxDelayMs, retryPolicy.initialDelayMs * 2 ** (tries - 1))
  // Never sooner than asked; the part left to chance keeps a crowd that was refused together from returning together.
  const wait = asked === null ? growing * (0.5 + chance / 2) : asked + chance * Math.max(growing, asked / 4)
  return spent + wait > retryPolicy.total ? null : wait
}
