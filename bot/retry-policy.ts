/** `attemptTimeoutMs` limits one attempt, `totalMs` all attempts and delays of one call. */
export type RetryPolicy = { attemptTimeoutMs: number; totalMs: number; initialDelayMs: number; maxDelayMs: number }

export const defaultRetryPolicy: RetryPolicy = {
  attemptTimeoutMs: 25_000,
  totalMs: 120_000,
  initialDelayMs: 100,
  maxDelayMs: 5_000,
}

const retryableStatuses = new Set([408, 429, 502, 503, 504])

export function isRetryable(status: number): boolean {
  return retryableStatuses.has(status)
}

/** The milliseconds that a `Retry-After` asks for (RFC 9110, 10.2.3), or null when it is missing or malformed. */
export function parseRetryAfter(header: string | undefined, now: number): number | null {
  const value = header?.trim()
  if (!value) return null
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}

/** Milliseconds before the next attempt, or null past `totalMs`: backoff with jitter (`random`, 0 to 1). */
export function retryDelay(
  policy: RetryPolicy,
  elapsedMs: number,
  attempts: number,
  retryAfterMs: number | null,
  random: number,
): number | null {
  const backoff = Math.min(policy.maxDelayMs, policy.initialDelayMs * 2 ** (attempts - 1))
  // Never earlier than Retry-After; the jitter spreads clients that were rejected at the same moment.
  const delay =
    retryAfterMs === null ? backoff * (0.5 + random / 2) : retryAfterMs + random * Math.max(backoff, retryAfterMs / 4)
  return elapsedMs + delay > policy.totalMs ? null : delay
}
