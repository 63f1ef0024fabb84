/** How long the number of a request is, where it is written into the request. */
const digits = 12

/** Stands in a request for what changes from one to the next: a value of the same length, or the request's number. */
export const slotFor = (value = '0'.repeat(digits)): string => '#'.repeat(value.length)

/** What goes into the slot when there are no values. */
export const numeral = (request: number): string => String(request).padStart(digits, '0')

/** What a connection asks, again and again. */
export type Plan = {
  /** Whole requests, with the slot where a value goes. */
  templates: readonly string[]
  /** Which of the values comes first. */
  start: number
}

/** A piece of work for the load process. */
export type Job = {
  port: number
  milliseconds: number
  /** One for each connection. */
  plans: readonly Plan[]
  /** What goes into the slot, all of one length; none: the number of the request. */
  values: readonly string[]
  /** How many requests each connection has made before. */
  done: readonly number[]
}

/** What came of it. */
export type Outcome = {
  /** How many were done in time: what was answered later is not counted here. */
  inTime: number
  /** How many requests each connection has made, with those before; every one was answered. */
  done: number[]
  /** Requests that were not done. */
  refused: { connection: number; request: number; status: number }[]
  /** CPU time that the load itself took, in microseconds. */
  cpu: number
}

/**
 * Which template and which value a connection's request is made of. With each round through the values every one
 * meets another template: what was liked is then disliked.
 */
export function requestAt({ templates, start }: Plan, values: number, request: number) {
  if (values === 0) return { template: request % templates.length, value: request }
  const round = Math.floor(request / values)
  const place = request % values
  return { template: (place + round) % templates.length, value: (start + place) % values }
}

/** A request of HTTP/1.1, to the letter. */
export function httpRequest(
  method: string,
  path: string,
  { cookie, body }: { cookie?: string; body?: object } = {},
): string {
  const text = body === undefined ? '' : JSON.stringify(body)
  return [
    `${method} ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    ...(cookie === undefined ? [] : [`cookie: ${cookie}`]),
    ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`]),
    '',
    text,
  ].join('\r\n')
}
