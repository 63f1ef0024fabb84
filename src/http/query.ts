import { parse } from 'node:querystring'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

/** No route has more than four. A URL has room for 2,000, and each that a route does not know takes its time to refuse. */
const maxParameters = 100

/** Of more parameters, the first 100: no route accepts those either. Empty ones, which `parse` counts, are none. */
export const parseQuery = (query: string) =>
  parse(query.replace(/&{2,}/g, '&').replace(/^&/, ''), '&', '=', { maxKeys: maxParameters })

const noParameters = z.strictObject({})

/** Makes routes without a query schema refuse every query parameter. Call it before the routes are registered. */
export function refuseUnknownQueries(app: FastifyInstance): void {
  app.addHook('onRoute', ({ schema }) => {
    if (schema && !schema.hide) schema.querystring ??= noParameters
  })
}
