import { STATUS_CODES } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifySchema, RouteOptions } from 'fastify'
import { z } from 'zod'
import { ProblemBody, type ProblemCode, statusOf } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The errors that this route has of its own; those that follow from its scope and schema are added. */
    problems?: readonly ProblemCode[]
  }
}

/** An answer without a body. */
export const NoContent = z.undefined()

/** The type of an answer of one JSON value a line (NDJSON). */
export const linesType = 'application/x-ndjson'

/** Such an answer. It is streamed, and as JSON Schema knows no lines, described as a text. */
export const Lines = z.instanceof(Readable)
const LinesText = z.string().describe('One JSON object per line; the last line is {"end":true}.')

const anyRoute: ProblemCode[] = [
  'validation',
  'request-timeout',
  'uri-too-long',
  'headers-too-large',
  'internal',
  'overloaded',
  'database-unavailable',
]

/** All errors that a route can answer with: its own, and those that follow from what it is. */
function problemsOf(schema: FastifySchema, { method, config }: RouteOptions): Set<ProblemCode> {
  const codes = new Set([...anyRoute, ...(config?.problems ?? [])])
  const changes = ![method].flat().every((one) => one === 'GET' || one === 'HEAD')
  if (changes)
    for (const code of ['cross-site', 'payload-too-large', 'unsupported-media-type'] as const) codes.add(code)
  if (schema.body) codes.add('malformed-json')
  if (schema.params) codes.add('not-found')
  if (schema.security) codes.add('unauthenticated')
  if (schema.security && changes) codes.add('rate-limited')
  return codes
}

/**
 * A route's schema as the OpenAPI document shows it: with every status the route can answer, so that no route has to
 * list what is common to all.
 */
export function withEveryStatus(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const responses: Record<string, unknown> = {}
  // Fastify leaves the type of a response open; ours are a zod schema for each status.
  for (const [status, body] of Object.entries(schema.response as Record<string, z.ZodType>)) {
    const description = STATUS_CODES[status] ?? status
    const content = body === Lines ? json(linesType, LinesText) : json('application/json', body)
    responses[status] = body === NoContent ? body.describe(description) : { description, content }
  }
  const codes = [...problemsOf(schema, route)]
  for (const status of new Set(codes.map(statusOf))) {
    const description = codes.filter((code) => statusOf(code) === status).join(', ')
    responses[status] = { description, content: json('application/problem+json', ProblemBody) }
  }
  return { ...schema, response: responses }
}

const json = (type: string, schema: z.ZodType) => ({ [type]: { schema } })
