import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { isDatabaseOutOfReach, OverloadedError } from '../database/failures.ts'
import { clientLeft, databaseUnavailable, type Fault, invalid, notFound, overloaded, Problem } from './problems.ts'

const contentType = 'application/problem+json; charset=utf-8'

/** RFC 6901: what stands between two slashes of a pointer. */
const token = (key: PropertyKey) => String(key).replaceAll('~', '~0').replaceAll('/', '~1')

/** What a schema finds wrong with a part of the request; `at` is the part's name in pointers. */
function faultsIn(at: string, schema: unknown, value: unknown): Fault[] {
  if (!(schema instanceof z.ZodType)) return []
  const issues = schema.safeParse(value).error?.issues ?? []
  return issues.flatMap((issue) => {
    const pointer = [`/${at}`, ...issue.path.map(token)].join('/')
    // zod tells of all unknown members at once; the contract names each by its own pointer.
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ pointer: `${pointer}/${token(key)}`, detail: 'is not known here' }))
    }
    return [{ pointer, detail: issue.message }]
  })
}

/** Every fault of a request: Fastify checks its parts one after the other and stops at the first with faults. */
function faultsOf({ body, query, headers, routeOptions: { schema } }: FastifyRequest, stoppedAt: string): Fault[] {
  const parts = [
    ['body', 'body', body],
    ['querystring', 'query', query],
    ['headers', 'headers', headers],
  ] as const
  // A part that has been checked was replaced by what its schema made of it, and would not fit it again.
  const unchecked = parts.slice(parts.findIndex(([part]) => part === stoppedAt))
  return unchecked.flatMap(([part, name, value]) => faultsIn(name, schema?.[part], value))
}

/** Any error as the problem a client is shown; what is not foreseen becomes `internal` and keeps its message to itself. */
function toProblem(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error
  if (isDatabaseOutOfReach(error)) return databaseUnavailable(error)
  if (error instanceof OverloadedError) return overloaded('writes')
  if (!(error instanceof Error))
    return new Problem('internal', 'The server failed; the request id finds it in its log.')
  // Fastify's own errors carry a code and, when the schema refused, the part of the request that it refused.
  const fastifyError = error as FastifyError
  if (fastifyError.validation) {
    // A path that could never name anything names nothing.
    const { validationContext: part = 'body' } = fastifyError
    return part === 'params' ? notFound() : invalid(...faultsOf(request, part))
  }
  switch (fastifyError.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('payload-too-large', 'A body may have 16 KiB at most.')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('unsupported-media-type', 'Send the body as application/json, in UTF-8 and not compressed.')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('malformed-json', 'The body is not as long as Content-Length says.')
    case 'ECONNRESET':
      return clientLeft()
    case 'FST_STATIC_FORBIDDEN_PATH':
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return notFound()
  }
  return new Problem('internal', 'The server failed; the request id finds it in its log.', { cause: error })
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))

/** Answers with a problem; what it was caused by goes to the log, never to the client. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error, request)
  const { cause = problem, code } = problem
  // A database that is away fails every request in the same way: a line each says enough.
  if (code === 'database-unavailable')
    request.log.warn({ code, reason: reasonOf(cause) }, 'the database did not answer')
  else if (problem.status >= 500) request.log.error({ err: cause, code }, 'request failed')
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header('x-request-id', request.id)
    .type(contentType)
    .send(JSON.stringify(problem.body(request.id)))
}

/** Every error leaves the app as `application/problem+json`. */
export function answerWithProblems(app: FastifyInstance): void {
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler((request, reply) => sendProblem(notFound(), request, reply))
}
