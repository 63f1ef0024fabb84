import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import helmet from 'helmet'

/**
 * The headers of every response: helmet's, fitted to an API that shows no page, loads nothing and is framed by nobody.
 * They are the same for all, so they are asked for once.
 */
export function securityHeaders({ secure }: { secure: boolean }): Readonly<Record<string, string>> {
  const protect = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
    },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    hsts: secure && { maxAge: 63_072_000, includeSubDomains: true },
  })
  const headers: Record<string, string> = {}
  const response = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value
    },
    removeHeader: () => undefined,
  }
  // helmet reads nothing of the request with these options, and does nothing to the response but these two.
  protect({} as IncomingMessage, response as unknown as ServerResponse, () => undefined)
  return Object.freeze(headers)
}

/** Gives every response those headers and its request's id. */
export function sendHeaders(app: FastifyInstance, headers: Readonly<Record<string, string>>): void {
  app.addHook('onRequest', async (request, reply) => {
    // What a scope allows to be kept it says itself; all else is kept nowhere.
    reply.headers({ ...headers, 'x-request-id': request.id, 'cache-control': 'no-store' })
  })
}
