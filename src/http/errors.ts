import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isAccessRefused, isDatabaseOutOfReach, OutcomeUnknownError, OverloadedError } from '../database/failures.ts'
import { recordRefusal } from '../operations/refusal-events.ts'
import { countPerSecond } from './count-per-second.ts'
import { failureReport } from './failure-report.ts'
import { safeMethods } from './origin.ts'
import {
  clientLeft,
  databaseUnavailable,
  invalid,
  notFound,
  outcomeUnknown,
  overloaded,
  Problem,
  payloadTooLarge,
  problemType,
  unsupportedMediaType,
} from './problems.ts'
import { validationFaults } from './validation.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Logs the requests refused with `overloaded`: an attack must not write a line for each. */
    reportOverload(reason: string): void
    /** Logs a request that failed because of the database. */
    reportFailure: ReturnType<typeof failureReport>
  }
}

function internalError(cause: unknown): Problem {
  const detail = 'The server failed to handle the request: report the request id if this continues.'
  return new Problem('internal', detail, { cause })
}

/** The 503 of a database that failed, or was too slow: it says whether the request may have changed something. */
export function unavailable(
  cause: unknown,
  { headers, mayHaveWritten, method, routeOptions }: FastifyRequest,
): Problem {
  const isUnknown = mayHaveWritten || cause instanceof OutcomeUnknownError
  if (!isUnknown || safeMethods.has(method)) return databaseUnavailable(cause)
  const { howToFindOut = 'Read what it was to change before you repeat it.' } = routeOptions.config
  return outcomeUnknown(howToFindOut, headers['idempotency-key'] !== undefined, cause)
}

// An unforeseen error becomes `internal`, which does not disclose its message.
function toProblem(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error
  if (isAccessRefused(error) || isDatabaseOutOfReach(error)) return unavailable(error, request)
  if (error instanceof OverloadedError) return overloaded('writes')
  if (!(error instanceof Error)) return internalError(error)
  const fastifyError = error as FastifyError
  if (fastifyError.validation) {
    const { validationContext: part = 'body' } = fastifyError
    return part === 'params' ? notFound() : invalid(...validationFaults(request, part))
  }
  switch (fastifyError.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return payloadTooLarge()
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return unsupportedMediaType()
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('malformed-json', 'Send a body whose length matches Content-Length.')
    case 'ECONNRESET':
      return clientLeft()
    case 'FST_STATIC_FORBIDDEN_PATH':
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return notFound()
  }
  return internalError(error)
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))

/** Answers with a problem. Its cause is logged, and never sent to the client. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error, request)
  const { cause = problem, code } = problem
  if (code === 'database-unavailable' || code === 'outcome-unknown') {
    const isRefused = request.server.databaseUser.noteRefusal(cause)
    if (!isRefused) request.server.reportFailure(request, code, cause)
  } else if (code === 'overloaded') request.server.reportOverload(reasonOf(cause))
  else if (problem.status >= 500) request.log.error({ err: cause, code }, 'request failed')
  else recordRefusal(problem, request)
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header('x-request-id', request.id)
    .type(problemType)
    .send(JSON.stringify(problem.body(request.id)))
}

export function answerWithProblems(app: FastifyInstance): void {
  const reportOverload = countPerSecond((refused, reason) => {
    app.log.warn({ refused, reason }, 'requests refused: overloaded')
  })
  app.decorate('reportOverload', reportOverload)
  app.decorate('reportFailure', failureReport(app.log))
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler((request, reply) => sendProblem(notFound(), request, reply))
}
