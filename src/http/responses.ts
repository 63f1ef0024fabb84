import { STATUS_CODES } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifySchema, RouteOptions } from 'fastify'
import { z } from 'zod'
import { ProblemBody, type ProblemCode, statusOf } from './problems.ts'
import type { ResponseHeader } from './response-headers.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The errors specific to this route; those that follow from its scope and schema are added. */
    problems?: readonly ProblemCode[]
    /** Of successful responses, in addition to those of every route. */
    responseHeaders?: readonly ResponseHeader[]
    /** Default: `application/json`. */
    mediaType?: string
    otherMediaTypes?: Readonly<Record<string, z.ZodType>>
    /** For a write: the sentence of `outcome-unknown` that says where a client sees whether it happened. */
    howToFindOut?: string
  }
}

export const NoContent = z.undefined()

const ndjson = 'application/x-ndjson'
export const ndjsonType = `${ndjson}; charset=utf-8`

/** A streamed response of one JSON value per line. To the OpenAPI document it is a file, as generated clients expect. */
export const NdjsonStream = z.instanceof(Readable)
const NdjsonFile = z
  .string()
  .meta({ format: 'binary', description: 'One JSON object per line; the last line is {"end":true}.' })

const eventStream = 'text/event-stream'
export const eventStreamType = `${eventStream}; charset=utf-8`

/** A streamed response of server-sent events. */
export const EventStream = z.instanceof(Readable)
const EventStreamText = z.string().meta({ description: 'Server-sent events: post, edited, removed, counts, lagged.' })

/** Carries `responseHeaders` to the OpenAPI document, which takes keys of routes that begin with `x-`. */
export const headersKey = 'x-response-headers'

const commonProblems: ProblemCode[] = [
  'validation',
  'request-timeout',
  'uri-too-long',
  'headers-too-large',
  'internal',
  'overloaded',
  'database-unavailable',
]

/** An empty requirement makes the others optional. */
const requiresSession = ({ security = [] }: FastifySchema) =>
  security.length > 0 && security.every((requirement) => Object.keys(requirement).length > 0)

function problemsOf(schema: FastifySchema, { method, config }: RouteOptions): Set<ProblemCode> {
  const codes = new Set([...commonProblems, ...(config?.problems ?? [])])
  const isChange = ![method].flat().every((name) => name === 'GET' || name === 'HEAD')
  if (isChange) {
    for (const code of ['cross-site', 'payload-too-large', 'unsupported-media-type', 'outcome-unknown'] as const) {
      codes.add(code)
    }
  }
  if (schema.body) codes.add('malformed-json')
  if (schema.params) codes.add('not-found')
  if (requiresSession(schema)) {
    codes.add('unauthenticated')
    if (isChange) codes.add('rate-limited')
  }
  return codes
}

/** A route's schema as the OpenAPI document shows it: with every status that the route can answer. */
export function withAllResponses(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const responses: Record<string, unknown> = {}
  // Fastify types responses as unknown; in this project each is a zod schema by status.
  for (const [status, body] of Object.entries(schema.response as Record<string, z.ZodType>)) {
    const description = STATUS_CODES[status] ?? status
    const others = Object.entries(route.config?.otherMediaTypes ?? {}).map(([type, other]) => json(type, other))
    const main =
      body === NdjsonStream
        ? json(ndjson, NdjsonFile)
        : body === EventStream
          ? json(eventStream, EventStreamText)
          : json(route.config?.mediaType ?? 'application/json', body)
    responses[status] =
      body === NoContent ? body.describe(description) : { description, content: Object.assign(main, ...others) }
  }
  const codes = [...problemsOf(schema, route)]
  for (const status of new Set(codes.map(statusOf))) {
    const description = codes.filter((code) => statusOf(code) === status).join(', ')
    responses[status] = { description, content: json('application/problem+json', ProblemBody) }
  }
  return Object.assign(
    { security: [], ...schema, response: responses },
    { [headersKey]: route.config?.responseHeaders ?? [] },
  )
}

const json = (type: string, schema: z.ZodType) => ({ [type]: { schema } })
