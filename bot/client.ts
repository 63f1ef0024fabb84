import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import got, { type Got, RequestError, TimeoutError } from 'got'
import type { CookieJar } from 'tough-cookie'
import { problem } from './api-schemas.ts'
import { Semaphore } from './concurrency.ts'
import type { Uncertainty } from './expected-state.ts'
import { isRetryable, parseRetryAfter, pause, type RetryPolicy } from './retry-policy.ts'
import type { Stats } from './stats.ts'

/** One request; `action` is its line in the table, `key` its Idempotency-Key. */
export type Call = {
  action: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  body?: object
  key?: string
}

/**
 * How a call ended. `status` is null when it was given up: `cause` says why, and `interrupted` that the run was told to
 * stop. `uncertainty` is set when an attempt had no answer, or a 5xx, so that nobody knows what became of it.
 */
export type Outcome = {
  status: number | null
  cause: string
  body: unknown
  ms: number
  uncertainty: Uncertainty | null
  interrupted: boolean
}

/** What the robots of one run share. */
export type RunContext = {
  base: URL
  retryPolicy: RetryPolicy
  stats: Stats
  /** Aborted when nothing new is to be begun. */
  stop: AbortSignal
  /** Called when the server has served nobody for as long as the retryPolicy lasts. */
  onUnresponsive: () => void
}

type Attempt = { status: number | null; cause: string; body: unknown; ms: number; asked: number | null; late: boolean }

/** The cause of what was not carried out because the run was told to stop. */
export const interrupted = 'interrupted'

const maxSockets = 256

/** Opens clients that share their sockets. Cookies travel through the jar given to each, as in a browser, and only there. */
export function openClients(context: RunContext): (jar?: CookieJar) => Client {
  setMaxListeners(0, context.stop)
  const agents = { keepAlive: true, maxSockets: maxSockets }
  const common = got.extend({
    agent: { http: new HttpAgent(agents), https: new HttpsAgent(agents) },
    // A redirect could lead off this machine, and Rookery answers none.
    followRedirect: false,
    throwHttpErrors: false,
    // Repeated below: only the bot knows which repetition is safe, and counts it.
    retry: { limit: 0 },
    headers: { 'user-agent': 'rookery-bot', accept: 'application/json' },
  })
  const shared = { semaphore: new Semaphore(maxSockets), lastAnsweredAt: performance.now() }
  return (jar) => new Client(context, shared, jar ? common.extend({ cookieJar: jar }) : common)
}

export class Client {
  #context: RunContext
  #shared: { semaphore: Semaphore; lastAnsweredAt: number }
  #got: Got

  constructor(context: RunContext, shared: { semaphore: Semaphore; lastAnsweredAt: number }, client: Got) {
    this.#context = context
    this.#shared = shared
    this.#got = client
  }

  /** Sends a call until it is answered for good, with the same key each time, within the context's retryPolicy. Never rejects. */
  async send(call: Call): Promise<Outcome> {
    const { retryPolicy, stop, stats } = this.#context
    const began = performance.now()
    let uncertainty: Uncertainty | null = null
    for (let tries = 1; ; tries += 1) {
      if (stop.aborted) return { status: null, cause: interrupted, body: null, ms: 0, uncertainty, interrupted: true }
      const attempt = await this.#shared.semaphore.run(() => this.#attempt(call))
      if (attempt.late) uncertainty = 'in-flight'
      else if (attempt.status === null || attempt.status >= 500) uncertainty ??= 'unknown'
      if (attempt.status !== null && !isRetryable(attempt.status)) {
        this.#shared.lastAnsweredAt = performance.now()
        return { ...attempt, uncertainty, interrupted: false }
      }
      const wait = pause(retryPolicy, performance.now() - began, tries, attempt.asked, Math.random())
      if (wait === null) {
        if (performance.now() - this.#shared.lastAnsweredAt > retryPolicy.total) this.#context.onUnresponsive()
        return { ...attempt, status: null, cause: describeGiveUp(attempt), uncertainty, interrupted: false }
      }
      stats.recordRetry(call.action, attempt.cause)
      await sleep(wait, undefined, { signal: stop }).catch(() => undefined)
    }
  }

  async #attempt(call: Call): Promise<Attempt> {
    const began = performance.now()
    try {
      const { statusCode, headers, body } = await this.#got(new URL(call.path, this.#context.base), {
        method: call.method,
        ...(call.body && { json: call.body }),
        ...(call.key && { headers: { 'idempotency-key': call.key } }),
        timeout: { request: this.#context.retryPolicy.attempt },
      })
      const parsed = parse(body)
      const code = problem.safeParse(parsed).data?.code
      return {
        status: statusCode,
        cause: code ? `${statusCode} ${code}` : String(statusCode),
        body: parsed,
        ms: performance.now() - began,
        asked: parseRetryAfter(headers['retry-after'], Date.now()),
        late: false,
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // After a time-out the server may still be busy with the request; after a broken connection it no longer is.
      const late = error instanceof TimeoutError
      const cause = late ? 'time-out' : error.code
      return { status: null, cause, body: null, ms: performance.now() - began, asked: null, late }
    }
  }
}

function describeGiveUp({ cause, asked }: Attempt): string {
  return asked === null ? `${cause}, given up` : `${cause}, asks to wait ${Math.ceil(asked / 1000)} s`
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
