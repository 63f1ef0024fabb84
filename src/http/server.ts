import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FastifyHttpOptions, FastifyInstance, FastifyReply } from 'fastify'
import { newId } from '../database/ids.ts'
import { logWhenClosed } from '../operations/logging.ts'
import { sendProblem } from './errors.ts'
import { faultOf } from './framing.ts'
import { type Handler, inOrder } from './pipelining.ts'
import { invalid, notFound, type Problem, uriTooLong, urlLimit } from './problems.ts'
import { answerOnSocket } from './socket-errors.ts'

const bodyLimit = 16 * 1024

/** The server of Node with every limit that ends a connection. Fastify would give some of them to its first server only. */
function limitedServer(handle: Handler): Server {
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      // The time-outs alone end no slow client: the sweep that enforces them must run often.
      connectionsCheckingInterval: 1_000,
      // Longer than the 60 seconds that proxies keep an idle connection for, so that none sends on one that just closed.
      keepAliveTimeout: 72_000,
      maxHeaderSize: 16 * 1024,
      // Node would answer without a body; see limitRequests.
      requireHostHeader: false,
    },
    inOrder(handle),
  )
  // Ends who does not read an answer. Longer than any takes to make: see deadline.ts, where some wait for two turns.
  server.setTimeout(90_000)
  // What they can hold fits into memory, and files are left for the database; the others are closed without a word.
  // Unless they are dropped, node:cluster hands a connection that no process takes round for ever.
  Object.assign(server, { maxConnections: 10_000, dropMaxConnection: true })
  // What will be refused for its length is not asked for. Node would refuse other expectations than 100-continue with
  // a bare 417; they may be ignored (RFC 9110, 10.1.1).
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= bodyLimit) response.writeContinue()
    server.emit('request', request, response)
  })
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  return server
}

/**
 * How the HTTP server is set up: limits that end what is too large, too slow or too long, and whom to believe.
 * @param headers - those of every response, for the answers that no hook sees.
 */
export function serverOptions(
  trustedProxies: readonly string[],
  headers: Readonly<Record<string, string>>,
): FastifyHttpOptions<Server> {
  return {
    bodyLimit,
    serverFactory: limitedServer,
    forceCloseConnections: 'idle',
    // While draining we answer what was begun; Fastify's own 503 would not be a problem of the contract.
    return503OnClosing: false,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    requestIdHeader: false,
    genReqId: newId,
    // A path that the router cannot read meets no hook: what they do is done here.
    frameworkErrors: (error, request, reply) => {
      logWhenClosed(request, reply)
      reply.headers({ ...headers, 'cache-control': 'no-store' })
      sendProblem(refusalOf(request.raw, reply) ?? error, request, reply)
    },
    clientErrorHandler: answerOnSocket(headers),
  }
}

function refusalOf(request: IncomingMessage, reply: FastifyReply): Problem | undefined {
  const fault = faultOf(request)
  if (!fault) return (request.url?.length ?? 0) > urlLimit ? uriTooLong() : undefined
  // Where its body ends is doubtful, and so what comes after it.
  reply.header('connection', 'close')
  return invalid(fault)
}

/**
 * Refuses what Node's parser takes and we do not. What is not there is told before its body is read: Fastify itself
 * would first find fault with that.
 */
export function limitRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw, is404 }, reply) => {
    const refusal = refusalOf(raw, reply)
    if (refusal) throw refusal
    if (is404) throw notFound()
  })
}
