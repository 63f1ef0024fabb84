import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import got, { AbortError, type Got, RequestError, TimeoutError } from 'got'
import type { CookieJar } from 'tough-cookie'
import { problem } from './api-schemas.ts'
import { Semaphore } from './concurrency.ts'
import type { Uncertainty } from './expected-state.ts'
import type { Measurements } from './load/measurements.ts'
import { urlOf } from './options/server-url.ts'
import { isRetryable, parseRetryAfter, type RetryPolicy, retryDelay } from './retry-policy.ts'
import type { Stats } from './stats.ts'

/** `action` is the call's row in the stats, `key` its Idempotency-Key. */
export type Call = {
  action: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  body?: object
  key?: string
}

/**
 * `status` is null when the client gave up, for the reason in `cause`. `uncertainty` is set when an attempt got no
 * response or a 5xx: the server may have applied it, or may still. `ms` is the latency of the last attempt.
 */
export type CallResult = {
  status: number | null
  cause: string
  body: unknown
  ms: number
  uncertainty: Uncertainty | null
  interrupted: boolean
}

/** What all robots of a run share. `stop` aborts before the next attempt starts. */
export type RunContext = {
  base: URL
  retryPolicy: RetryPolicy
  stats: Stats
  measurements?: Pick<Measurements, 'begin' | 'end'>
  /** Certificates, in PEM, of the authorities to trust instead of the system's. */
  ca?: string | undefined
  stop: AbortSignal
  /** Ends attempts that wait for an answer. */
  abandon?: AbortSignal
  /** Called when a call gives up and no call of the run has got a final response for `totalMs`. */
  onUnresponsive: () => void
}

type Attempt = {
  status: number | null
  cause: string
  body: unknown
  ms: number
  retryAfterMs: number | null
  timedOut: boolean
}

type Shared = { semaphore: Semaphore; lastAnsweredAt: number }

export const interruptedCause = 'interrupted'

const maxSockets = 256

/** Returns a factory of clients that share sockets; each sends and stores the cookies of its own jar only. */
export function openClients(context: RunContext): (jar?: CookieJar) => Client {
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
  return (jar) => new Client(context, shared, jar ? common.extend({ cookieJar: jar }) : common)
}

export class Client {
  #context: RunContext
  #shared: Shared
  #got: Got

  constructor(context: RunContext, shared: Shared, client: Got) {
    this.#context = context
    this.#shared = shared
    this.#got = client
  }

  /** Retries with the same Idempotency-Key until a final response or the end of the retry policy. Never rejects. */
  async send(call: Call): Promise<CallResult> {
    const { retryPolicy, stop, stats } = this.#context
    const startedAt = performance.now()
    let uncertainty: Uncertainty | null = null
    for (let attempts = 1; ; attempts += 1) {
      if (stop.aborted)
        return { status: null, cause: interruptedCause, body: null, ms: 0, uncertainty, interrupted: true }
      const attempt = await this.#shared.semaphore.run(() => this.#measured(call, startedAt, attempts))
      if (attempt.timedOut) uncertainty = 'in-flight'
      else if (attempt.status === null || attempt.status >= 500) uncertainty ??= 'unknown'
      if (attempt.status !== null && !isRetryable(attempt.status)) {
        this.#shared.lastAnsweredAt = performance.now()
        return { ...attempt, uncertainty, interrupted: false }
      }
      const elapsedMs = performance.now() - startedAt
      const delay = retryDelay(retryPolicy, elapsedMs, attempts, attempt.retryAfterMs, Math.random())
      if (delay === null) {
        if (performance.now() - this.#shared.lastAnsweredAt > retryPolicy.totalMs) this.#context.onUnresponsive()
        return { ...attempt, status: null, cause: describeGiveUp(attempt), uncertainty, interrupted: false }
      }
      stats.recordRetry(call.action, attempt.cause)
      await sleep(delay, undefined, { signal: stop }).catch(() => undefined)
    }
  }

  async #measured(call: Call, intended: number, number: number): Promise<Attempt> {
    const { measurements } = this.#context
    const begun = { action: call.action, intended, sent: performance.now(), attempt: number }
    measurements?.begin(begun)
    const attempt = await this.#attempt(call)
    const { status, cause } = attempt
    measurements?.end({ ...begun, answered: performance.now(), status, cause })
    return attempt
  }

  async #attempt(call: Call): Promise<Attempt> {
    const startedAt = performance.now()
    try {
      const { statusCode, headers, body } = await this.#got(urlOf(this.#context.base, call.path), {
        method: call.method,
        ...(call.body && { json: call.body }),
        ...(call.key && { headers: { 'idempotency-key': call.key } }),
        ...(this.#context.abandon && { signal: this.#context.abandon }),
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
        timedOut: false,
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // After a timeout the server may still process the request; after a broken connection it no longer does.
      const timedOut = error instanceof TimeoutError || error instanceof AbortError
      const cause = timedOut ? 'timeout' : error.code
      return { status: null, cause, body: null, ms: performance.now() - startedAt, retryAfterMs: null, timedOut }
    }
  }
}

function describeGiveUp({ cause, retryAfterMs }: Attempt): string {
  return retryAfterMs === null
    ? `${cause}, retries exhausted`
    : `${cause}, Retry-After ${Math.ceil(retryAfterMs / 1000)} s is too long`
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
