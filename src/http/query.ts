import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

const none = z.strictObject({})

/** Where a route names no query parameter it takes none: an unknown one is refused there, too. Call it before the routes. */
export function refuseUnknownQueries(app: FastifyInstance): void {
  app.addHook('onRoute', ({ schema }) => {
    if (schema && !schema.hide) schema.querystring ??= none
  })
}
