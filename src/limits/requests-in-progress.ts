import type { IncomingMessage, ServerResponse } from 'node:http'
import { newId } from '../database/ids.ts'
import { clientCounts } from '../http/client-counts.ts'
import { countPerSecond } from '../http/count-per-second.ts'
import { endConnection } from '../http/end-connection.ts'
import type { Handler } from '../http/pipelining.ts'
import { problemType } from '../http/problems.ts'
import { hasNoBody } from '../http/when-complete.ts'
import { type ClientKeys, networkFactor } from './client-buckets.ts'
import { type Limit, rateLimited } from './headers.ts'
import { proxiedClient } from './request-client.ts'

const retrySeconds = 1
/** A client that is refused at once is back at once. Beyond so many, the connections are worth more than the pause. */
const heldBackMs = 2_000
const maxHeldBack = 5_000
/** For the proxy to read the answer. */
const closeDelayMs = 1_000

type Options = {
  /** Those of every response. */
  headers: Readonly<Record<string, string>>
  perAddress: number
  trustedProxies: readonly string[]
  onRefused: (refused: number, limit: string) => void
}

const limitOf = (by: 'address' | 'network', quota: number): Limit => ({
  name: `requests-by-${by}`,
  description: 'requests',
  quota,
  windowSeconds: retrySeconds,
  detail: `At most ${quota} requests of one ${by} can be in progress at a time: try again shortly.`,
})

/**
 * Of one client, beyond its limit: for a monitor behind the same address. More are refused, because each that exceeds the pace
 * of requests holds its connection for up to 4 seconds.
 */
const spareHealthChecks = 10

/** One with a body is none: it could last as long as its client likes. */
const isHealthCheck = (request: IncomingMessage) => request.url?.startsWith('/health/') === true && hasNoBody(request)

/**
 * Bounds the requests that trusted proxies pass on, for each address and network: each holds a connection, as long as a
 * client sends its body or a refusal is held back. Without a bound one address would take all connections of the server.
 * A client that connects itself has one request in progress on each of its connections, which connections.ts bounds.
 */
export function limitRequestsInProgress({
  headers,
  perAddress,
  trustedProxies,
  onRefused,
}: Options): (handle: Handler) => Handler {
  if (trustedProxies.length === 0) return (handle) => handle
  const clientOf = proxiedClient(trustedProxies)
  const ofAddress = limitOf('address', perAddress)
  const ofNetwork = limitOf('network', perAddress * networkFactor)
  const refuse = refusal(headers)
  const report = countPerSecond(onRefused)
  const counts = clientCounts()
  let heldBack = 0

  function refuseLater(request: IncomingMessage, response: ServerResponse, limit: Limit): void {
    report(limit.name)
    if (heldBack >= maxHeldBack) {
      refuse(request, response, limit)
      return
    }
    heldBack += 1
    const timer = setTimeout(refuse, heldBackMs, request, response, limit).unref()
    response.once('close', () => {
      heldBack -= 1
      clearTimeout(timer)
    })
  }

  const limitReached = ({ address, network }: ClientKeys, spare: number): Limit | undefined =>
    [
      { limit: ofAddress, key: address },
      { limit: ofNetwork, key: network },
    ].find(({ limit, key }) => counts.of(key) >= limit.quota + spare)?.limit

  return (handle) => (request, response) => {
    const client = response.closed ? undefined : clientOf(request)
    if (!client) return handle(request, response)
    const limit = limitReached(client, isHealthCheck(request) ? spareHealthChecks : 0)
    if (limit) return refuseLater(request, response, limit)
    counts.add(client)
    response.once('close', () => counts.remove(client))
    handle(request, response)
  }
}

function refusal(headers: Options['headers']) {
  return (request: IncomingMessage, response: ServerResponse, limit: Limit): void => {
    const problem = rateLimited(limit, retrySeconds)
    const id = newId()
    const body = JSON.stringify(problem.body(id))
    const { socket } = request
    if (!hasNoBody(request)) {
      response.setHeader('connection', 'close')
      socket.destroySoon = () => endConnection(socket, closeDelayMs)
    }
    const own = { 'content-type': problemType, 'cache-control': 'no-store', 'x-request-id': id }
    response
      .writeHead(problem.status, { ...headers, ...problem.headers, ...own, 'content-length': Buffer.byteLength(body) })
      .end(body)
  }
}
