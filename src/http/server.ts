import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FastifyHttpOptions, FastifyInstance, FastifyReply } from 'fastify'
import { newId } from '../database/ids.ts'
import { logWhenClosed } from '../operations/logging.ts'
import { endConnectionsOf } from './end-connection.ts'
import { sendProblem } from './errors.ts'
import { findFramingFault } from './framing.ts'
import { type Handler, handleInOrder } from './pipelining.ts'
import { headersTooLarge, invalid, maxHeaders, maxUrlLength, notFound, type Problem, uriTooLong } from './problems.ts'
import { parseQuery } from './query.ts'
import { answerOnSocket, refuseConnect } from './socket-errors.ts'
import { closeIfUnread } from './unread-bodies.ts'

const maxBodyBytes = 16 * 1024
/** MongoDB may build an index for hours, for which database/plugin.ts waits; Fastify's 10 seconds would end the start. */
export const noPluginTimeout = 0

type DelayOf = (request: IncomingMessage) => number

/** Node's server with every limit that closes a connection. Fastify would set some of them on its first server only. */
function createLimitedServer(
  handle: Handler,
  { delayMsOf, admit }: Pick<Required<Before>, 'delayMsOf' | 'admit'>,
  headers: Readonly<Record<string, string>>,
): Server {
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 1_000,
      // Longer than the 60 seconds of common proxies, so that none sends a request on a connection that is closing.
      keepAliveTimeout: 72_000,
      maxHeaderSize: 16 * 1024,
      // Node would answer without a problem body; findFramingFault checks Host.
      requireHostHeader: false,
    },
    handleInOrder(
      (request, response) => {
        // Each part of the server that a request's end concerns listens: they are more than Node takes for a leak.
        response.setMaxListeners(0)
        handle(request, response)
      },
      delayMsOf,
      admit,
    ),
  )
  // Disconnects clients that do not read. Longer than any response takes: see deadline.ts; some requests queue twice.
  server.setTimeout(90_000)
  endConnectionsOf(server)
  // Without dropMaxConnection, node:cluster passes a connection that every process refuses round forever.
  Object.assign(server, { maxConnections: 10_000, dropMaxConnection: true, maxHeadersCount: maxHeaders })
  // No 100 Continue for a body that is too large. A server may ignore other expectations (RFC 9110, 10.1.1).
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= maxBodyBytes) response.writeContinue()
    server.emit('request', request, response)
  })
  server.on('connect', refuseConnect(headers))
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  return server
}

type Before = {
  /** For how long each request waits, in milliseconds. */
  delayMsOf?: DelayOf
  /** May answer a request before it waits. */
  admit?: (handle: Handler) => Handler
  /** May answer a request instead of Fastify. */
  guard?: (handle: Handler) => Handler
}

/** Fastify's options. `headers` are those of every response, needed here for responses that bypass the hooks. */
export function serverOptions(
  headers: Readonly<Record<string, string>>,
  { delayMsOf = () => 0, admit = (handle) => handle, guard = (handle) => handle }: Before = {},
): FastifyHttpOptions<Server> {
  return {
    bodyLimit: maxBodyBytes,
    pluginTimeout: noPluginTimeout,
    routerOptions: { querystringParser: parseQuery },
    serverFactory: (handle) => createLimitedServer(guard(handle), { delayMsOf, admit }, headers),
    forceCloseConnections: 'idle',
    // drain.ts answers while draining; Fastify's own 503 has no problem body.
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: newId,
    // A path that the router cannot decode bypasses the hooks, so their work is repeated here.
    frameworkErrors: (error, request, reply) => {
      logWhenClosed(request, reply)
      reply.headers({ ...headers, 'cache-control': 'no-store' })
      closeIfUnread(request.raw, reply)
      sendProblem(findRejection(request.raw, reply) ?? error, request, reply)
    },
    clientErrorHandler: answerOnSocket(headers),
  }
}

function findRejection(request: IncomingMessage, reply: FastifyReply): Problem | undefined {
  // A second Host, or a Transfer-Encoding, may be among those that Node dropped.
  if (request.rawHeaders.length >= 2 * maxHeaders) {
    reply.header('connection', 'close')
    return headersTooLarge()
  }
  const fault = findFramingFault(request)
  if (!fault) return (request.url?.length ?? 0) > maxUrlLength ? uriTooLong() : undefined
  // The end of the body is ambiguous, so the rest of the connection cannot be trusted (request smuggling).
  reply.header('connection', 'close')
  return invalid(fault)
}

/** Refuses ambiguous framing and overlong URLs, and answers 404 before Fastify checks the body. */
export function limitRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw, is404 }, reply) => {
    const rejection = findRejection(raw, reply)
    if (rejection) throw rejection
    if (is404) throw notFound()
  })
}
