import { z } from 'zod'

const catalogue = {
  validation: [400, 'Validation failed'],
  'malformed-json': [400, 'Malformed JSON'],
  unauthenticated: [401, 'Authentication required'],
  'invalid-credentials': [401, 'Invalid credentials'],
  'second-factor-required': [401, 'Second factor required'],
  forbidden: [403, 'Permission denied'],
  'cross-site': [403, 'Cross-site request blocked'],
  'confirmation-required': [403, 'Confirmation required'],
  'password-change-required': [403, 'Password change required'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  'request-timeout': [408, 'Request timeout'],
  'username-taken': [409, 'Username taken'],
  'idempotency-conflict': [409, 'Idempotency key conflict'],
  'payload-too-large': [413, 'Payload too large'],
  'uri-too-long': [414, 'URI too long'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'rate-limited': [429, 'Rate limit exceeded'],
  'headers-too-large': [431, 'Request headers too large'],
  internal: [500, 'Internal server error'],
  overloaded: [503, 'Server overloaded'],
  'database-unavailable': [503, 'Database unavailable'],
  'outcome-unknown': [503, 'Outcome unknown'],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof catalogue

export const statusOf = (code: ProblemCode): number => catalogue[code][0]

export const problemType = 'application/problem+json; charset=utf-8'

/** One fault of an invalid request: a JSON Pointer (RFC 6901), and a sentence that never contains the value. */
export type Fault = { pointer: string; detail: string }

/** An error on the wire (RFC 9457). */
export const ProblemBody = z
  .object({
    type: z.string().describe('urn:rookery:problem: followed by the code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(catalogue)),
    instance: z.string().describe('urn:rookery:request: followed by the x-request-id.'),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem' })

export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly faults: readonly Fault[] | undefined

  constructor(
    code: ProblemCode,
    detail: string,
    extra: { headers?: Record<string, string>; faults?: readonly Fault[]; cause?: unknown } = {},
  ) {
    // To capture a stack takes a fifth of the CPU time of a 404. An unexpected error is the cause, and has its own stack.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(detail, { cause: extra.cause })
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.status = statusOf(code)
    // A 401 must have a challenge (RFC 9110, 15.5.2); browsers show no password dialog for this one.
    this.headers = { ...(this.status === 401 && { 'www-authenticate': 'Cookie realm="rookery"' }), ...extra.headers }
    this.faults = extra.faults
  }

  body(requestId: string): z.infer<typeof ProblemBody> {
    return {
      type: `urn:rookery:problem:${this.code}`,
      title: catalogue[this.code][1],
      status: this.status,
      detail: this.message,
      code: this.code,
      instance: `urn:rookery:request:${requestId}`,
      ...(this.faults && { errors: this.faults.slice(0, 20) }),
    }
  }
}

export const isServerFault = (error: unknown): boolean => !(error instanceof Problem) || error.status >= 500

export function invalid(...faults: Fault[]): Problem {
  return new Problem('validation', 'Correct the faults listed in errors and send the request again.', { faults })
}

export const notFound = () => new Problem('not-found', 'The resource does not exist.')

export const unauthenticated = () => new Problem('unauthenticated', 'Log in first: POST /v1/session.')

/** @param seconds - until the queue will have emptied */
export const overloaded = (queue: 'passwords' | 'reads' | 'writes', seconds = 2) =>
  new Problem(
    'overloaded',
    `Too many ${queue === 'passwords' ? 'password checks' : queue} are queued, so nothing was changed: try again shortly.`,
    {
      headers: { 'retry-after': String(seconds) },
    },
  )

export const shuttingDown = () =>
  new Problem('overloaded', 'The server is shutting down: try again shortly.', { headers: { 'retry-after': '5' } })

/** Never received: a 4xx, so that logs and metrics do not count it as a server error. */
export const clientLeft = () => new Problem('request-timeout', 'The client disconnected before the server answered.')

/** @param allow - the methods that the URL supports, as in the header of this name */
export const methodNotAllowed = (allow: string) =>
  new Problem('method-not-allowed', `This URL supports ${allow === '' ? 'no such request' : `only ${allow}`}.`, {
    headers: { allow },
  })

export const maxUrlLength = 4_096

export const payloadTooLarge = () => new Problem('payload-too-large', 'Send a body of at most 16 KiB.')

export const unsupportedMediaType = () =>
  new Problem('unsupported-media-type', 'Send the body as application/json, in UTF-8 and uncompressed.')

/** Node keeps no more of a request: they are more than any client sends, and take 70 KB of memory. */
export const maxHeaders = 600

export const headersTooLarge = () =>
  new Problem('headers-too-large', 'Send at most 16 KiB of headers, and fewer than 600.')

export const uriTooLong = () => new Problem('uri-too-long', 'Send a URL of at most 4,096 characters.')

export function databaseUnavailable(cause?: unknown, retryAfterSeconds = 1): Problem {
  const detail = 'The database is unavailable, so nothing was changed and nothing will be: try again shortly.'
  return new Problem('database-unavailable', detail, { headers: { 'retry-after': String(retryAfterSeconds) }, cause })
}

/** Only an Idempotency-Key makes a blind repeat safe. @param howToFindOut - a sentence for a client without a key */
export function outcomeUnknown(howToFindOut: string, hasIdempotencyKey: boolean, cause?: unknown): Problem {
  const advice = hasIdempotencyKey ? 'Repeat the request with the same Idempotency-Key.' : howToFindOut
  return new Problem('outcome-unknown', `The database did not say whether the change happened. ${advice}`, {
    headers: hasIdempotencyKey ? { 'retry-after': '1' } : {},
    cause,
  })
}
