import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import got, { AbortError, type Got, RequestError, TimeoutError } from 'got'
import type { CookieJar } from 'tough-cookie'
import { problem } from './api-schemas.ts'
import { Semaphore } from './concurrency.ts'
import type { History } from './history/history.ts'
import { effectOf, type Observation, type Write } from './history/operation.ts'
import { urlOf } from './options/server-url.ts'
import { isRetryable, parseRetryAfter, type RetryPolicy, retryDelay } from './retry-policy.ts'
import type { Stats } from './stats.ts'

/** An answer as a call's `observe` sees it. `isSessionInvalid`: the request had no session, or none that is valid. */
export type Answer = { status: number; body: unknown; isSessionInvalid: boolean; sentAt: number }

/**
 * `action` is the call's row in the stats, `key` its Idempotency-Key. The history gets `writes` with each attempt, and
 * what `observe` makes of each answer. `intended` is when the call should have begun.
 */
export type Call = {
  action: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  body?: object
  key?: string
  writes?: readonly Write[]
  observe?: (answer: Answer) => Observation[]
  intended?: number | undefined
}

/**
 * `status` is null when the client gave up, for the reason in `cause`. `isUncertain`: an earlier attempt, or this one, may
 * have been applied, or may still be. `ms` is the latency of the last attempt.
 */
export type CallResult = {
  status: number | null
  cause: string
  body: unknown
  ms: number
  isUncertain: boolean
  isSessionInvalid: boolean
  interrupted: boolean
}

/** What all robots of a run share. `stop` aborts before the next attempt starts. */
export type RunContext = {
  base: URL
  retryPolicy: RetryPolicy
  stats: Stats
  history: History
  /** In the open model: waits for the next arrival, and resolves to when it was due. */
  pace?: (() => Promise<number>) | undefined
  /** Gets each arrival of the open model: when it was due, and when it began. */
  onArrival?: (due: number, beganAt: number) => void
  /** Certificates, in PEM, of the authorities to trust instead of the system's. */
  ca?: string | undefined
  stop: AbortSignal
  /** Its signal ends attempts that wait for an answer; it may be replaced during the run. */
  abandon?: { signal: AbortSignal }
  /** Called when a call gives up and no call of the run has got a final response for `totalMs`. */
  onUnresponsive: () => void
}

type Attempt = {
  status: number | null
  cause: string
  body: unknown
  ms: number
  retryAfterMs: number | null
  isUncertain: boolean
  isSessionInvalid: boolean
}

type AttemptNumber = { intended: number; attempt: number; retryOf: number | null }
type AnsweredAttempt = Attempt & { operation: number }

type Shared = { semaphore: Semaphore; lastAnsweredAt: number }

export const interruptedCause = 'interrupted'

const interruptedResult = {
  status: null,
  cause: interruptedCause,
  body: null,
  ms: 0,
  isSessionInvalid: false,
  interrupted: true,
}

const maxSockets = 256

/** Returns a factory of clients that share sockets; each acts for one robot, with the cookies of its own jar only. */
export function openClients(context: RunContext): (robot: number, jar?: CookieJar) => Client {
  setMaxListeners(0, context.stop)
  const agents = { keepAlive: true, maxSockets }
  const common = got.extend({
    agent: { http: new HttpAgent(agents), https: new HttpsAgent(agents) },
    ...(context.ca && { https: { certificateAuthority: context.ca } }),
    // A redirect could lead the crowd to another machine, and Rookery sends none.
    followRedirect: false,
    throwHttpErrors: false,
    // Client.send retries instead: got cannot tell which retry is safe.
    retry: { limit: 0 },
    headers: { 'user-agent': 'rookery-bot', accept: 'application/json' },
  })
  const shared = { semaphore: new Semaphore(maxSockets), lastAnsweredAt: performance.now() }
  return (robot, jar) =>
    new Client(context, shared, robot, jar ? common.extend({ cookieJar: jar }) : common, jar !== undefined)
}

export class Client {
  #context: RunContext
  #shared: Shared
  #robot: number
  #got: Got
  #isBrowser: boolean

  /** A browser, which keeps cookies, acts with a session. */
  constructor(context: RunContext, shared: Shared, robot: number, client: Got, isBrowser: boolean) {
    this.#context = context
    this.#shared = shared
    this.#robot = robot
    this.#got = client
    this.#isBrowser = isBrowser
  }

  /** Retries with the same Idempotency-Key until a final response or the end of the retry policy. Never rejects. */
  async send(call: Call): Promise<CallResult> {
    const { retryPolicy, stop, stats, pace } = this.#context
    const intendedAt = call.intended ?? (await pace?.())
    const startedAt = performance.now()
    let isUncertain = false
    let first: number | null = null
    for (let attempts = 1; ; attempts += 1) {
      if (stop.aborted) return { ...interruptedResult, isUncertain }
      // Of retries, too: their latency holds what came before.
      const number: AttemptNumber = { intended: intendedAt ?? startedAt, attempt: attempts, retryOf: first }
      const attempt: AnsweredAttempt = await this.#shared.semaphore.run(() => this.#attempt(call, number))
      first ??= attempt.operation
      isUncertain ||= attempt.isUncertain
      if (attempt.status !== null && !isRetryable(attempt.status)) {
        this.#shared.lastAnsweredAt = performance.now()
        return { ...attempt, isUncertain, interrupted: false }
      }
      const elapsedMs = performance.now() - startedAt
      const delay = retryDelay(retryPolicy, elapsedMs, attempts, attempt.retryAfterMs, Math.random())
      if (delay === null) {
        if (performance.now() - this.#shared.lastAnsweredAt > retryPolicy.totalMs) this.#context.onUnresponsive()
        return { ...attempt, status: null, cause: describeGiveUp(attempt), isUncertain, interrupted: false }
      }
      stats.recordRetry(call.action, attempt.cause)
      await sleep(delay, undefined, { signal: stop }).catch(() => undefined)
    }
  }

  async #attempt(call: Call, number: AttemptNumber): Promise<AnsweredAttempt> {
    const { history } = this.#context
    const operation = history.begin({ robot: this.#robot, action: call.action, ...number }, call.writes)
    const { requestId, ...attempt } = await this.#request(call)
    const { status, cause, body, isSessionInvalid } = attempt
    const answer = status === null ? null : { status, body, isSessionInvalid, sentAt: operation.sent }
    history.end(operation, { status, cause, requestId }, answer ? call.observe?.(answer) : [])
    const effect = effectOf(operation)
    return { ...attempt, operation: operation.id, isUncertain: effect === 'indeterminate' || effect === 'late' }
  }

  async #request(call: Call): Promise<Omit<Attempt, 'isUncertain'> & { requestId: string | null }> {
    const startedAt = performance.now()
    try {
      const { statusCode, headers, body, request } = await this.#got(urlOf(this.#context.base, call.path), {
        method: call.method,
        ...(call.body && { json: call.body }),
        ...(call.key && { headers: { 'idempotency-key': call.key } }),
        ...(this.#context.abandon && { signal: this.#context.abandon.signal }),
        timeout: { request: this.#context.retryPolicy.attemptTimeoutMs },
      })
      const parsed = parse(body)
      const code = problem.safeParse(parsed).data?.code
      return {
        status: statusCode,
        cause: code ? `${statusCode} ${code}` : String(statusCode),
        body: parsed,
        ms: performance.now() - startedAt,
        retryAfterMs: parseRetryAfter(headers['retry-after'], Date.now()),
        isSessionInvalid:
          headers['rookery-session'] === 'invalid' || (this.#isBrowser && !hasSession(request.options.headers)),
        requestId: headers['x-request-id']?.toString() ?? null,
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // After a timeout the server may still process the request; after a broken connection it no longer does.
      const cause = error instanceof TimeoutError || error instanceof AbortError ? 'timeout' : error.code
      const ms = performance.now() - startedAt
      return { status: null, cause, body: null, ms, retryAfterMs: null, isSessionInvalid: false, requestId: null }
    }
  }
}

/** Its access token may have expired, which deletes the cookie, or the robot is logged out. */
const hasSession = ({ cookie = '' }: { cookie?: string | string[] | undefined }): boolean =>
  /(?:^|; )(?:__Host-)?session=/.test(String(cookie))

function describeGiveUp({ cause, retryAfterMs }: Attempt): string {
  return retryAfterMs === null
    ? `${cause}, retries exhausted`
    : `${cause}, Retry-After ${Math.ceil(retryAfterMs / 1000)} s is too long`
}

/** The JSON, or the text if it is none. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
