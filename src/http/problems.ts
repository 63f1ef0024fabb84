import { z } from 'zod'

/** Every error a client can meet: its status, and the title that goes with it. */
const catalogue = {
  validation: [400, 'The request is not valid'],
  'malformed-json': [400, 'The body is not JSON'],
  unauthenticated: [401, 'No valid session'],
  'invalid-credentials': [401, 'Wrong name or password'],
  forbidden: [403, 'Not yours to change'],
  'cross-site': [403, 'Refused from another site'],
  'confirmation-required': [403, 'A fresh password is needed'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  'request-timeout': [408, 'The request took too long to arrive'],
  'username-taken': [409, 'The username is taken'],
  'idempotency-conflict': [409, 'The Idempotency-Key was used with another body'],
  'payload-too-large': [413, 'The body is too large'],
  'uri-too-long': [414, 'The URL is too long'],
  'unsupported-media-type': [415, 'The body is not application/json'],
  'rate-limited': [429, 'Too many requests'],
  'headers-too-large': [431, 'The headers are too large'],
  internal: [500, 'Something went wrong here'],
  overloaded: [503, 'Too much to do at the moment'],
  'database-unavailable': [503, 'The database is out of reach'],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof catalogue

/** The status that a code answers with. */
export const statusOf = (code: ProblemCode): number => catalogue[code][0]

/** One fault of a request that is not valid: where (RFC 6901), and what is wrong there, without the value. */
export type Fault = { pointer: string; detail: string }

/** An error as the wire shows it (RFC 9457). */
export const ProblemBody = z
  .object({
    type: z.string().describe('urn:rookery:problem: and the code'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(catalogue)),
    instance: z.string().describe('urn:rookery:request: and the x-request-id'),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem' })

/** Thrown anywhere below a route to answer with an error of the contract. */
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
    super(detail, { cause: extra.cause })
    this.code = code
    this.status = statusOf(code)
    // Every 401 carries a challenge (RFC 9110, 15.5.2); this one makes no browser ask for a password.
    this.headers = { ...(this.status === 401 && { 'www-authenticate': 'Cookie realm="rookery"' }), ...extra.headers }
    this.faults = extra.faults
  }

  /** The body that goes over the wire for the request of this id. */
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

/** Whether the server failed to answer, rather than the client asking wrongly or leaving. */
export const isServerFault = (error: unknown): boolean => !(error instanceof Problem) || error.status >= 500

/** A request that is not valid, with where and why. */
export function invalid(...faults: Fault[]): Problem {
  return new Problem('validation', 'The request is not valid: see errors.', { faults })
}

/** The same answer whatever the reason. */
export const notFound = () => new Problem('not-found', 'The resource does not exist.')

export const unauthenticated = () => new Problem('unauthenticated', 'Log in first: POST /v1/session.')

/** The answer when others must be served first; `what` there is too much of. */
export const overloaded = (what: 'passwords' | 'writes') =>
  new Problem('overloaded', `Too many ${what} are waiting: try again shortly.`, { headers: { 'retry-after': '2' } })

/** The answer of a process that only finishes what it has begun. */
export const aboutToEnd = () =>
  new Problem('overloaded', 'The server is about to end.', { headers: { 'retry-after': '5' } })

/** Nobody reads this answer; in logs and metrics it must not look like a failure of ours. */
export const clientLeft = () => new Problem('request-timeout', 'The client left before it was answered.')

/** The longest request target, in characters. */
export const urlLimit = 4_096

export const uriTooLong = () => new Problem('uri-too-long', 'A URL may have 4,096 characters at most.')

/** The answer when MongoDB cannot be asked; `cause` is for the log only. */
export function databaseUnavailable(cause?: unknown): Problem {
  return new Problem('database-unavailable', 'The database does not answer: try again shortly.', {
    headers: { 'retry-after': '1' },
    cause,
  })
}
