import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import got from 'got'
import type { CookieJar } from 'tough-cookie'
import type { Call, CallResult } from './call.ts'
import { Semaphore } from './concurrency.ts'
import { browserExchanges, type Exchange, type Exchanges, maxSockets } from './exchange.ts'
import { misbehave } from './faults/misbehave.ts'
import type { Misbehaviour, Misdeed, Planned } from './faults/misbehaviour.ts'
import { PreviousAccess } from './faults/previous-access.ts'
import type { History } from './history/history.ts'
import { effectOf } from './history/operation.ts'
import type { LimitWatch } from './limits/limit-watch.ts'
import { urlOf } from './options/server-url.ts'
import { isRetryable, type RetryPolicy, retryDelay } from './retry-policy.ts'
import type { Stats } from './stats.ts'
import { visitorExchanges } from './visitor-exchange.ts'

export type { Answer, Call, CallResult } from './call.ts'

/** What all robots of a run share. `stop` aborts before the next attempt starts. */
export type RunContext = {
  base: URL
  retryPolicy: RetryPolicy
  stats: Stats
  history: History
  /** With --faults: which calls of the robots misbehave. */
  misbehaviour?: Misbehaviour | undefined
  /** Gets to know the limits that answers describe. */
  limits?: LimitWatch | undefined
  /** In the open model: waits for the next arrival, and resolves to when it was due. */
  pace?: ((robot: number) => Promise<number>) | undefined
  /** Certificates, in PEM, of the authorities to trust instead of the system's. */
  ca?: string | undefined
  stop: AbortSignal
  /** Its signal ends attempts that wait for an answer; it may be replaced during the run. */
  abandon?: { signal: AbortSignal }
  /** Called when a call gives up and no call of the run has got a final response for `totalMs`. */
  onUnresponsive: () => void
}

type AttemptNumber = { intended: number; attempt: number; retryOf: number | null; fault?: Misdeed }
/** `isUncertain`: it may have been applied, or may still be. */
type Attempt = Omit<Exchange, 'requestId'> & { isUncertain: boolean; operation: number }

type Shared = { semaphore: Semaphore; lastAnsweredAt: number }

export const interruptedCause = 'interrupted'

const interruptedResult = {
  status: null,
  cause: interruptedCause,
  body: null,
  isSessionInvalid: false,
  interrupted: true,
}

const headers = { 'user-agent': 'rookery-bot', accept: 'application/json' }

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
    headers,
  })
  const shared = { semaphore: new Semaphore(maxSockets), lastAnsweredAt: performance.now() }
  const visit = visitorExchanges(context.base, headers, context.ca)
  return (robot, jar) => new Client(context, shared, robot, jar ? browserExchanges(common, jar) : visit, jar)
}

export class Client {
  #context: RunContext
  #shared: Shared
  #robot: number
  #exchanges: Exchanges
  #jar: CookieJar | undefined
  #access = new PreviousAccess()
  /** `own` follows `all`, and has few listeners: to add one to a signal takes longer, the more it has. */
  #abandon: { all: AbortSignal; own: AbortSignal } | null = null

  constructor(context: RunContext, shared: Shared, robot: number, exchanges: Exchanges, jar?: CookieJar) {
    this.#context = context
    this.#shared = shared
    this.#robot = robot
    this.#exchanges = exchanges
    this.#jar = jar
  }

  /**
   * Retries with the same Idempotency-Key until a final response or the end of the retry policy. Never rejects. A call that
   * `mayMisbehave` does so, before or beside its first attempt, where the run wants it.
   */
  async send(call: Call, mayMisbehave = false): Promise<CallResult> {
    const { retryPolicy, stop, stats, pace } = this.#context
    const due = call.intended ?? (await pace?.(this.#robot))
    const planned = mayMisbehave ? this.#context.misbehaviour?.next(this.#robot, call) : undefined
    const isDoubled = planned?.misdeed === 'doubled'
    let isUncertain = planned && !isDoubled ? await this.#misbehave(planned, call) : false
    const startedAt = performance.now()
    const intended = planned && !isDoubled ? startedAt : (due ?? startedAt)
    let first: number | null = null
    for (let attempts = 1; ; attempts += 1) {
      if (stop.aborted) return { ...interruptedResult, isUncertain }
      // Of retries, too: their latency holds what came before.
      const number: AttemptNumber = { intended, attempt: attempts, retryOf: first }
      const twin = isDoubled && attempts === 1 ? this.#attempt(call, { ...number, fault: 'doubled' }) : null
      const attempt = await this.#attempt(call, number)
      first ??= attempt.operation
      isUncertain ||= attempt.isUncertain
      if (twin !== null && (await twin).isUncertain) isUncertain = true
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

  /** @returns whether the call may have been applied */
  async #misbehave(planned: Planned, call: Call): Promise<boolean> {
    const isStale = planned.misdeed === 'stale cookie'
    const { previous } = this.#access
    const jar = this.#jar
    if (!jar || this.#context.stop.aborted || (isStale && previous === null)) return false
    const number = { intended: performance.now(), attempt: 1, retryOf: null, fault: planned.misdeed }
    const { base, ca, retryPolicy } = this.#context
    const way = { base, ca, jar, timeoutMs: retryPolicy.attemptTimeoutMs, cookie: isStale ? previous : null }
    const send = () => misbehave(planned, call, way)
    return (await this.#attempt(call, number, send)).isUncertain
  }

  #attempt(call: Call, number: AttemptNumber, send = () => this.#exchange(call)): Promise<Attempt> {
    return this.#shared.semaphore.run(async () => {
      const { history } = this.#context
      const operation = history.begin({ robot: this.#robot, action: call.action, ...number }, call.writes)
      const { requestId, ...exchanged } = await send()
      const { status, cause, body, isSessionInvalid } = exchanged
      const answer = status === null ? null : { status, body, isSessionInvalid, sentAt: operation.sent }
      history.end(operation, { status, cause, requestId }, answer ? call.observe?.(answer) : [])
      const effect = effectOf(operation)
      return { ...exchanged, operation: operation.id, isUncertain: effect === 'indeterminate' || effect === 'late' }
    })
  }

  #exchange({ method, path, body, key }: Call): Promise<Exchange> {
    const { base, retryPolicy, limits } = this.#context
    const request = { method, ...(body && { json: body }), ...(key && { headers: { 'idempotency-key': key } }) }
    const patience = { timeoutMs: retryPolicy.attemptTimeoutMs, signal: this.#abandonSignal() }
    return this.#exchanges(urlOf(base, path), request, patience, (headers) => {
      this.#access.note(headers)
      limits?.note(headers)
    })
  }

  #abandonSignal(): AbortSignal | undefined {
    const all = this.#context.abandon?.signal
    if (all && this.#abandon?.all !== all) this.#abandon = { all, own: AbortSignal.any([all]) }
    return this.#abandon?.own
  }
}

function describeGiveUp({ cause, retryAfterMs }: Attempt): string {
  return retryAfterMs === null
    ? `${cause}, retries exhausted`
    : `${cause}, Retry-After ${Math.ceil(retryAfterMs / 1000)} s is too long`
}
