import type { FastifyRequest } from 'fastify'
import type { Problem } from '../http/problems.ts'

/** The limit that refused, by the name in the header: each limit has one, and no client chooses it. */
const limitOf = ({ headers }: Problem) => /^"([^"]+)"/.exec(headers['ratelimit-policy'] ?? '')?.[1] ?? 'unknown'

/** Records the refusals that are security events, wherever they were thrown. */
export function recordRefusal(problem: Problem, request: FastifyRequest): void {
  const { code, status } = problem
  if (status !== 403 && status !== 429) return
  const { securityLog } = request.server
  if (code === 'cross-site') securityLog.record('malicious_cors', { request })
  else if (status === 403) securityLog.record('authz_fail', { request, detail: { reason: code } })
  else {
    const limit = limitOf(problem)
    const event = /^failed-(logins|codes)/.test(limit) ? 'authn_login_fail_max' : 'excess_rate_limit_exceeded'
    securityLog.record(event, { request, detail: { limit } })
  }
}
