import { METHODS } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { methodNotAllowed } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route answers 405 for the methods that its URL does not support. */
    refusesMethod?: boolean
  }
}

// CONNECT never reaches a route: see socket-errors.ts.
const everyMethod = METHODS.filter((method) => method !== 'CONNECT')

/**
 * Answers 405 with `Allow` where a URL does not support the method (RFC 9110, 15.5.6).
 * @returns a plugin with a second route for each URL; register it after all other routes.
 */
export function refuseOtherMethods(app: FastifyInstance): (scope: FastifyInstance) => Promise<void> {
  const urls = new Set<string>()
  app.addHook('onRoute', ({ url }) => void urls.add(url))
  for (const method of everyMethod) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
  return async (scope) => {
    for (const url of [...urls]) {
      const refused = everyMethod.filter((method) => !scope.hasRoute({ url, method }))
      if (refused.length === 0) continue
      const allow = everyMethod.filter((method) => !refused.includes(method)).join(', ')
      scope.route({
        url,
        method: refused,
        schema: { hide: true },
        config: { refusesMethod: true },
        // Before the body is read, and before any check of the URL's real route.
        onRequest: async () => {
          throw methodNotAllowed(allow)
        },
        handler: () => undefined,
      })
    }
  }
}
