import { METHODS } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Problem } from './problems.ts'

// CONNECT never reaches a route: Node gives it to nobody and closes the connection.
const everyMethod = METHODS.filter((method) => method !== 'CONNECT')

/**
 * Answers 405 with `Allow` where a URL exists and the method does not (RFC 9110, 15.5.6). The router itself finds the
 * case: for each URL a second route takes all the other methods.
 *
 * @returns the plugin with those routes: register it last, when all others have told their URLs.
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
        // Before anything is read of the body, and before any check that a real route of this URL makes.
        onRequest: async () => {
          throw new Problem('method-not-allowed', `This URL supports only ${allow}.`, { headers: { allow } })
        },
        handler: () => undefined,
      })
    }
  }
}
