import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

const noParameters = z.strictObject({})

/** Makes routes without a query schema refuse every query parameter. Call it before the routes are registered. */
export function refuseUnknownQueries(app: FastifyInstance): void {
  app.addHook('onRoute', ({ schema }) => {
    if (schema && !schema.hide) schema.querystring ??= noParameters
  })
}
