import type { IncomingMessage, Server } from 'node:http'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { newId } from '../database/ids.ts'
import { logWhenClosed } from '../operations/logging.ts'
import { sendProblem } from './errors.ts'
import { invalid, notFound, uriTooLong, urlLimit } from './problems.ts'
import { answerOnSocket } from './socket-errors.ts'

const kibibyte = 1024

/**
 * How the HTTP server is set up: limits that end what is too large, too slow or too long, and whom to believe.
 * @param headers - those of every response, for the answers that no hook sees.
 */
export function serverOptions(
  trustedProxies: readonly string[],
  headers: Readonly<Record<string, string>>,
): FastifyHttpOptions<Server> {
  return {
    bodyLimit: 16 * kibibyte,
    requestTimeout: 30_000,
    http: {
      headersTimeout: 10_000,
      // The time-outs alone end no slow client: the sweep that enforces them must run often.
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 16 * kibibyte,
      // Node would answer without a body; see limitRequests.
      requireHostHeader: false,
    },
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    // While draining we answer what was begun; Fastify's own 503 would not be a problem of the contract.
    return503OnClosing: false,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    requestIdHeader: false,
    genReqId: newId,
    // A path that the router cannot read meets no hook: what they do is done here.
    frameworkErrors: (error, request, reply) => {
      logWhenClosed(request, reply)
      const problem = (request.raw.url?.length ?? 0) > urlLimit ? uriTooLong() : error
      sendProblem(problem, request, reply.headers({ ...headers, 'cache-control': 'no-store' }))
    },
    clientErrorHandler: answerOnSocket(headers),
  }
}

/** Whether a request names its host as HTTP/1.1 wants it: once (RFC 9112, 3.2). HTTP/1.0 may leave it out. */
function namesHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((text, n) => n % 2 === 0 && text.length === 4 && text.toLowerCase() === 'host').length
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0')
}

/**
 * Refuses what Node's parser takes and we do not: an overlong URL, too few or too many Host headers. What is not there
 * is told before its body is read: Fastify itself would first find fault with that.
 */
export function limitRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw, is404 }) => {
    if ((raw.url?.length ?? 0) > urlLimit) throw uriTooLong()
    if (!namesHost(raw)) throw invalid({ pointer: '/headers/host', detail: 'must be given once' })
    if (is404) throw notFound()
  })
  // Node would refuse other expectations than 100-continue with a bare 417; they may be ignored (RFC 9110, 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
}
