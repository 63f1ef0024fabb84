import t from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { freePort } from '../../src/processes/free-port.ts'
import { runAgainst } from '../bot/run-crowd.ts'
import { startCluster } from './cluster.ts'

t.test('robots on four API processes never lose a session', { timeout: 400_000 }, async (t) => {
  const METRICS_PORT = String(await freePort('127.0.0.1'))
  const { url } = await startCluster(t, 4, { METRICS_PORT })
  const size = { users: 12, posts: 4, reactions: 20, totalMs: 60_000, attemptTimeoutMs: 20_000 }
  const { findings, stats } = await runAgainst(url, { ...size, seed: 5 })
  t.strictSame(findings.findings, [])
  t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures() })
  // One robot comes back with an expired access token, which it refreshes; no other gets 401 where it has a session.
  const refreshed = stats.retries().filter(({ cause }) => cause.startsWith('401'))
  t.ok(
    refreshed.every(({ action, count }) => action === 'read timeline' && count === 1),
    'refreshed',
    { refreshed },
  )
  const metrics = await (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text()
  const answers = metrics.split('\n').filter((line) => line.startsWith('http_request_duration_seconds_count'))
  t.ok(
    answers.some((line) => line.includes('route="/v1/session",status="200"')),
    'all processes are counted',
  )
})
