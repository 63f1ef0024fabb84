import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Config } from '../config.ts'
import { newId } from '../database/ids.ts'
import { securityHeaders } from '../http/headers.ts'
import { databaseUnavailable, problemType } from '../http/problems.ts'
import { listenError } from './check-ports.ts'

/** A start that can open no more files, because of clients, would fail for good. */
const maxConnections = 100
/** So that one client does not keep all of them from a health check. */
const timeoutMs = 5_000

const timeouts = { headersTimeout: timeoutMs, requestTimeout: timeoutMs, connectionsCheckingInterval: 1_000 }

/**
 * Once open, HOST and PORT answer that the process is live and not ready: an orchestrator would otherwise restart it for the
 * database's fault. A start with a database that answers must not open it: a balancer without checks of its own, as
 * nginx, would take a server that listens for one that serves.
 */
export function answersWhileStarting({ host, port, cookieSecure }: Pick<Config, 'host' | 'port' | 'cookieSecure'>) {
  const headers = { ...securityHeaders({ secure: cookieSecure }), 'cache-control': 'no-store' }
  const server = createServer(timeouts, ({ url = '' }, response) => {
    const id = newId()
    const isLive = url.split('?', 1)[0] === '/health/live'
    const { status, headers: more, body } = isLive ? live : problemAnswer(id)
    response.writeHead(status, { ...headers, ...more, 'x-request-id': id }).end(JSON.stringify(body))
  })
  Object.assign(server, { maxConnections, timeout: timeoutMs })
  return {
    /** @throws StartError if they cannot be listened on */
    async open(): Promise<void> {
      try {
        await once(server.listen({ host, port, exclusive: true }), 'listening')
      } catch (error) {
        throw listenError(error, { host, port })
      }
    },
    async close(): Promise<void> {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const live = { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: { status: 'ok' } }

function problemAnswer(requestId: string) {
  const problem = databaseUnavailable()
  const headers = { ...problem.headers, 'content-type': problemType }
  return { status: problem.status, headers, body: problem.body(requestId) }
}
