import type { IncomingHttpHeaders } from 'node:http'
import { AbortError, type Got, RequestError, TimeoutError } from 'got'
import type { CookieJar } from 'tough-cookie'
import { problem } from './api-schemas.ts'
import { parseRetryAfter } from './retry-policy.ts'

/** Of each client. Of more connections, undici searches all for an idle one at each request. */
export const maxSockets = 256

/** What one request has led to. `status` is null without an answer, for the reason in `cause`. */
export type Exchange = {
  status: number | null
  cause: string
  body: unknown
  retryAfterMs: number | null
  isSessionInvalid: boolean
  requestId: string | null
}

type Request = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  json?: object
  headers?: Record<string, string>
}

type Patience = { timeoutMs: number; signal?: AbortSignal | undefined }

/** Sends one request. Never rejects for want of an answer. */
export type Exchanges = (
  url: URL,
  request: Request,
  patience: Patience,
  onAnswer: (headers: IncomingHttpHeaders) => void,
) => Promise<Exchange>

export type RawAnswer = { statusCode: number; headers: IncomingHttpHeaders; body: string }

/** Exchanges with the cookies of a jar, and so with a session. */
export function browserExchanges(client: Got, cookieJar: CookieJar): Exchanges {
  return async (url, request, { timeoutMs, signal }, onAnswer) => {
    try {
      // The jar is no default of a client's own: a copy of got's options for each of a thousand robots takes much memory.
      const options = { cookieJar, ...request, ...(signal && { signal }), timeout: { request: timeoutMs } }
      const answer = await client(url, options)
      onAnswer(answer.headers)
      const exchanged = answered(answer)
      const isSessionMissing = !hasSession(answer.request.options.headers)
      return { ...exchanged, isSessionInvalid: exchanged.isSessionInvalid || isSessionMissing }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // After a timeout the server may still process the request; after a broken connection it no longer does.
      return unanswered(error instanceof TimeoutError || error instanceof AbortError ? 'timeout' : error.code)
    }
  }
}

/** Its access token may have expired, which deletes the cookie, or the robot is logged out. */
const hasSession = ({ cookie = '' }: { cookie?: string | string[] | undefined }): boolean =>
  /(?:^|; )(?:__Host-)?session=/.test(String(cookie))

export function answered({ statusCode, headers, body }: RawAnswer): Exchange {
  const parsed = parse(body)
  const code = problem.safeParse(parsed).data?.code
  return {
    status: statusCode,
    cause: code ? `${statusCode} ${code}` : String(statusCode),
    body: parsed,
    retryAfterMs: parseRetryAfter(headers['retry-after'], Date.now()),
    isSessionInvalid: headers['rookery-session'] === 'invalid',
    requestId: headers['x-request-id']?.toString() ?? null,
  }
}

export function unanswered(cause: string): Exchange {
  return { status: null, cause, body: null, retryAfterMs: null, isSessionInvalid: false, requestId: null }
}

/** The JSON, or the text if it is none. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
