/** The length of a request's number in the request. */
const digits = 12

/** The placeholder in a request for what changes: a value of the same length, or the request's number. */
export const slotFor = (value = '0'.repeat(digits)): string => '#'.repeat(value.length)

/** Fills the slot when there are no values. */
export const numeral = (request: number): string => String(request).padStart(digits, '0')

/** The requests that a connection repeats. */
export type Plan = {
  /** Complete requests with a slot for a value. */
  templates: readonly string[]
  /** The index of the first value. */
  start: number
}

/** One round of the load process. */
export type Job = {
  port: number
  durationMs: number
  /** Requests per second, whatever happens to those before; undefined: as many as the connections allow. */
  perSecond?: number | undefined
  /** One for each connection. */
  plans: readonly Plan[]
  /** Values for the slot, all of one length; without values, the request's number. */
  values: readonly string[]
  /** The number of earlier requests, by connection. */
  done: readonly number[]
}

export type Outcome = {
  /** Successful responses within the duration. */
  inTime: number
  /** The number of requests with a response, earlier ones included, by connection. */
  done: number[]
  /** At a rate: how long each took from the time at which it was due, in milliseconds. */
  latenciesMs: number[]
  /** Responses other than 2xx. */
  refused: { connection: number; request: number; status: number }[]
  /** CPU time of the load itself, in microseconds. */
  cpuUs: number
}

/**
 * The template and value of a connection's nth request. Each pass over the values combines them with another
 * template: a post that was liked is then disliked.
 */
export function requestAt({ templates, start }: Plan, values: number, request: number) {
  if (values === 0) return { template: request % templates.length, value: request }
  const pass = Math.floor(request / values)
  const index = request % values
  return { template: (index + pass) % templates.length, value: (start + index) % values }
}

/**
 * The text of an HTTP/1.1 request.
 * @param header - one more header line, such as `cookie: name=value`
 */
export function httpRequest(
  method: string,
  path: string,
  { header, body }: { header?: string | undefined; body?: object } = {},
): string {
  const text = body === undefined ? '' : JSON.stringify(body)
  return [
    `${method} ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    ...(header === undefined ? [] : [header]),
    ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`]),
    '',
    text,
  ].join('\r\n')
}
