import t from 'tap'
import { Stats } from '../../bot/stats.ts'

t.test('successes, retries and failures are counted by action', async (t) => {
  const stats = new Stats()
  for (let n = 0; n < 100; n += 1) stats.recordSuccess('like')
  stats.recordSuccess('post')
  stats.recordRetry('like', '503 overloaded')
  stats.recordRetry('like', '503 overloaded')
  stats.recordFailure('log in', 'ECONNRESET, retries exhausted')
  const [like, post, logIn] = stats.rows()
  t.match(like, { action: 'like', count: 100, errors: 0, retries: 2 })
  t.match(post, { count: 1 })
  t.match(logIn, { count: 0, errors: 1 })
  t.strictSame(stats.retries(), [{ action: 'like', cause: '503 overloaded', count: 2 }])
  t.strictSame(stats.failures(), [{ action: 'log in', cause: 'ECONNRESET, retries exhausted', count: 1 }])
})
