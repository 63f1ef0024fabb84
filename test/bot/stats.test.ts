import t from 'tap'
import { Stats } from '../../bot/stats.ts'

t.test('successes, retries, failures and latency percentiles are counted by action', async (t) => {
  const stats = new Stats()
  for (let ms = 1; ms <= 100; ms += 1) stats.recordSuccess('like', ms)
  stats.recordSuccess('post', 0)
  stats.recordRetry('like', '503 overloaded')
  stats.recordRetry('like', '503 overloaded')
  stats.recordFailure('log in', 'ECONNRESET, retries exhausted')
  const [like, post, logIn] = stats.rows()
  t.match(like, { action: 'like', count: 100, errors: 0, retries: 2 })
  for (const [percentile, ms] of [
    ['p50', 50],
    ['p95', 95],
    ['p99', 99],
  ] as const)
    t.ok(Math.abs((like?.[percentile] ?? 0) - ms) < 0.2, `${percentile} ${like?.[percentile]}`)
  t.match(post, { count: 1, p50: 0.001 })
  t.match(logIn, { count: 0, errors: 1, p50: null, p99: null })
  t.strictSame(stats.retries(), [{ action: 'like', cause: '503 overloaded', count: 2 }])
  t.strictSame(stats.failures(), [{ action: 'log in', cause: 'ECONNRESET, retries exhausted', count: 1 }])
})
