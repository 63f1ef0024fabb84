import t from 'tap'
import { isRetryable, parseRetryAfter, retryDelay } from '../../bot/retry-policy.ts'

const now = Date.parse('2026-01-01T00:00:00Z')
const policy = { attemptTimeoutMs: 1_000, totalMs: 60_000, initialDelayMs: 100, maxDelayMs: 5_000 }

t.test('Retry-After is parsed as seconds or as an HTTP date; anything else is null', async (t) => {
  t.equal(parseRetryAfter('3', now), 3_000)
  t.equal(parseRetryAfter(' 0 ', now), 0)
  t.equal(parseRetryAfter('Thu, 01 Jan 2026 00:00:07 GMT', now), 7_000)
  t.equal(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now), 0, 'a date in the past')
  for (const header of [undefined, '', 'soon', '-1', '1.5', 'NaN'])
    t.equal(parseRetryAfter(header, now), null, String(header))
})

t.test('delays double up to maxDelayMs, with jitter of one half', async (t) => {
  t.equal(retryDelay(policy, 0, 1, null, 0), 50)
  t.equal(retryDelay(policy, 0, 1, null, 1), 100)
  t.equal(retryDelay(policy, 0, 3, null, 1), 400)
  t.equal(retryDelay(policy, 0, 2_000, null, 1), 5_000)
})

t.test('a delay is never shorter than Retry-After', async (t) => {
  t.equal(retryDelay(policy, 0, 1, 4_000, 0), 4_000)
  t.equal(retryDelay(policy, 0, 1, 4_000, 1), 5_000)
  t.equal(retryDelay(policy, 0, 1, 0, 1), 100)
})

t.test('a delay that would exceed totalMs is null', async (t) => {
  t.equal(retryDelay(policy, 59_990, 1, null, 0), null)
  t.equal(retryDelay(policy, 0, 1, 61_000, 0), null)
  t.equal(retryDelay(policy, 55_000, 1, 5_000, 0), 5_000)
})

t.test('only 408, 429, 502, 503 and 504 are retryable', async (t) => {
  t.strictSame(
    [200, 400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504].filter(isRetryable),
    [408, 429, 502, 503, 504],
  )
})
