import type { CookieJar } from 'tough-cookie'
import type { z } from 'zod'
import type { Call, CallResult, Client } from './client.ts'
import type { Semaphore } from './concurrency.ts'
import type { Identity } from './content.ts'
import type { Ledger } from './ledger.ts'
import type { Stats } from './stats.ts'

/** `authSlots` limits concurrent sign-ups and log-ins: each costs the server a bcrypt. */
export type RobotContext = {
  ledger: Ledger
  stats: Stats
  authSlots: Semaphore
  runId: string
  openClient: (jar: CookieJar) => Client
}

/** Thrown when a robot cannot continue: its retries are exhausted, or it can neither sign up nor log in. */
export class GaveUp extends Error {}

export const unexpectedBody = 'unexpected response body'

/** Sends calls with a robot's session, refreshes the session when it expires, and records results in the stats. */
export class SessionClient {
  #identity: Identity
  #context: RobotContext
  #client: Client
  #pendingRefresh: Promise<CallResult> | null = null

  constructor(identity: Identity, jar: CookieJar, context: RobotContext) {
    this.#identity = identity
    this.#context = context
    this.#client = context.openClient(jar)
  }

  send(call: Call): Promise<CallResult> {
    return this.#client.send(call)
  }

  /** Reads a public resource. @throws GaveUp unless the response is a 200 that matches `schema` */
  async get<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>> {
    const call = { action: 'read profile', method: 'GET', path } as const
    const result = await this.#client.send(call)
    const body = readBody(result, 200, schema)
    this.recordOrGiveUp(call, result, body !== null)
    if (body === null) throw new GaveUp(result.cause)
    return body
  }

  async authenticate(call: Call, expected: number[]): Promise<CallResult> {
    const result = await this.#context.authSlots.run(() => this.#client.send(call))
    this.record(call, result, result.status !== null && expected.includes(result.status))
    return result
  }

  logIn(): Promise<CallResult> {
    const { username, password } = this.#identity
    return this.authenticate(
      { action: 'log in', method: 'POST', path: '/v1/session', body: { username, password } },
      [200],
    )
  }

  /** Sends a call; after a 401 it refreshes the session, or logs in, and sends the call once more. */
  async sendAuthenticated(call: Call): Promise<CallResult> {
    const first = await this.#client.send(call)
    if (first.status !== 401) return first
    this.#context.stats.recordRetry(call.action, first.cause)
    const refresh = await this.#refreshOnce()
    if (refresh.status !== 200) return { ...refresh, status: null, body: null, uncertainty: first.uncertainty }
    const second = await this.#client.send(call)
    return { ...second, uncertainty: first.uncertainty ?? second.uncertainty }
  }

  record(call: Call, result: CallResult, succeeded: boolean): void {
    if (result.interrupted) return
    if (succeeded) this.#context.stats.recordSuccess(call.action, result.ms)
    else this.#context.stats.recordFailure(call.action, is2xx(result) ? unexpectedBody : result.cause)
  }

  /** Records the result. @throws GaveUp when the call got no response */
  recordOrGiveUp(call: Call, result: CallResult, succeeded: boolean): void {
    this.record(call, result, succeeded)
    if (result.status === null) throw new GaveUp(result.cause)
  }

  /** A refresh token is valid once, so concurrent calls share one refresh. */
  #refreshOnce(): Promise<CallResult> {
    this.#pendingRefresh ??= this.#refreshOrLogIn().finally(() => {
      this.#pendingRefresh = null
    })
    return this.#pendingRefresh
  }

  async #refreshOrLogIn(): Promise<CallResult> {
    const call = { action: 'refresh', method: 'POST', path: '/v1/session/refresh' } as const
    const result = await this.#client.send(call)
    this.record(call, result, result.status === 200 || result.status === 401)
    return result.status === 200 ? result : this.logIn()
  }
}

/** The response body, or null when the status or the shape differs. */
export function readBody<T extends z.ZodType>(result: CallResult, status: number, schema: T): z.infer<T> | null {
  return result.status === status ? (schema.safeParse(result.body).data ?? null) : null
}

function is2xx({ status }: CallResult): boolean {
  return status !== null && status >= 200 && status < 300
}
