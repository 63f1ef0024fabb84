import { CookieJar } from 'tough-cookie'
import type { z } from 'zod'
import * as schemas from '../api-schemas.ts'
import { type Answer, type Call, type CallResult, type Client, interruptedCause } from '../client.ts'
import type { Semaphore } from '../concurrency.ts'
import type { Identity } from '../content.ts'
import type { Stats } from '../stats.ts'
import { type AuthenticatorApp, countFactor, type Factor, type FactorKind } from './authenticator-app.ts'
import type { Directory } from './directory.ts'
import { isFactorRequired, observePassword } from './observe-second-factor.ts'
import type { Tally } from './tally.ts'

/** Opens a client for a robot; `isOther` is one whose connections are its own, so that its reads meet other processes. */
export type OpenClient = (robot: number, jar?: CookieJar, isOther?: boolean) => Client

/** What the robots of a run share. `authSlots` limits concurrent sign-ups and log-ins: each costs the server a bcrypt. */
export type RobotContext = {
  directory: Directory
  stats: Stats
  authSlots: Semaphore
  run: string
  seed: number
  openClient: OpenClient
}

/** What proves who a robot is. `app` is its second factor, or may be one. */
export type Owner = Identity & { app: AuthenticatorApp | null }

/** `trust`: this browser is to log in without a second factor from then on. `between` runs between the two steps. */
export type LogIn = { trust?: boolean; by?: FactorKind; between?: () => Promise<void> }

/** Thrown when a robot cannot continue: its retries are exhausted, or it can neither sign up nor log in. */
export class GaveUp extends Error {}

const unexpectedBody = 'unexpected response body'
/** Of a login whose second step finds the first one expired, as when the server's clock jumps, or used. */
const maxLogIns = 3

/** One browser of a robot: its cookies, and what the server has said about its session. */
export class Session {
  readonly jar: CookieJar
  readonly account: Owner
  readonly client: Client
  /** Reads with the same cookies over another connection. */
  readonly other: Client
  /** The server's id of the session, once it is known. */
  id: string | null = null
  /** Whether this browser logs in without the second factor. */
  isTrusted = false
  #context: RobotContext
  #tally: Tally
  #pendingRefresh: Promise<CallResult> | null = null

  constructor(account: Owner, context: RobotContext, tally: Tally, jar = new CookieJar()) {
    this.account = account
    this.jar = jar
    this.#context = context
    this.#tally = tally
    this.client = context.openClient(account.index, jar)
    this.other = context.openClient(account.index, jar, true)
  }

  /** Another browser with the same cookies: what a thief has, or a second tab. */
  async copy(): Promise<Session> {
    const jar = await CookieJar.deserialize(await this.jar.serialize())
    return new Session(this.account, this.#context, this.#tally, jar)
  }

  /** Logs in: with the password, and then with the second factor if the server asks for it. */
  async logIn({ trust = false, by = 'code', between = async () => {} }: LogIn = {}): Promise<CallResult> {
    for (let tries = 1; ; tries += 1) {
      const first = await this.givePassword()
      const { app } = this.account
      if (!app || !isFactorRequired(first)) return first
      await between()
      const second = await app.present((factor) => this.#giveFactor(factor, trust), by)
      if (second.status !== 401 || tries === maxLogIns) {
        this.record(secondStep, second, second.status === 200)
        return second
      }
      this.#context.stats.recordRetry(secondStep.action, second.cause)
    }
  }

  /** The first step of a login, which is all of it without a second factor. */
  async givePassword(): Promise<CallResult> {
    const { app, username, password } = this.account
    const call: Call = {
      ...{ action: 'log in', method: 'POST', path: '/v1/session', body: { username, password } },
      observe: (answer) => observePassword({ app, username, isTrusted: this.isTrusted }, answer),
    }
    const isExpected = (result: CallResult) => result.status === 200 || (app !== null && isFactorRequired(result))
    return this.#begin(await this.authenticate(call, isExpected))
  }

  async #giveFactor(factor: Factor, trust: boolean): Promise<CallResult> {
    const { body, writes } = factor
    const call: Call = {
      ...{ ...secondStep, body: { ...body, ...(trust && { trustDevice: true }) }, writes },
      // The password was right, and recovery codes depend on no clock.
      observe: (answer) => (isRefused(answer) ? [...writes] : []),
    }
    const result = await this.client.send(call)
    countFactor(this.#tally, factor, result)
    if (trust && result.status === 200) this.isTrusted = true
    return this.#begin(result)
  }

  #begin(result: CallResult): CallResult {
    this.#tally.count('login', result, 200)
    this.begins(result)
    return result
  }

  /** A session has begun, whose id the answer tells. */
  begins(result: CallResult): void {
    const id = readBody(result, 200, schemas.loggedIn)?.session.id
    if (result.isUncertain) this.#tally.hasUnknownSessions = true
    if (id === undefined) return
    // What this browser carried before has ended.
    if (this.id !== null) this.#tally.sessions.delete(this.id)
    this.id = id
    this.#tally.sessions.add(id)
  }

  /** Sends a call that costs the server a hash. */
  async authenticate(call: Call, isExpected: (result: CallResult) => boolean): Promise<CallResult> {
    const result = await this.#context.authSlots.run(() => this.client.send(call))
    this.record(call, result, isExpected(result))
    return result
  }

  /** Sends a call; after a 401 it refreshes the session, or logs in, and sends the call once more. */
  async send(call: Call, client = this.client, mayMisbehave = true): Promise<CallResult> {
    const first = await client.send(call, mayMisbehave)
    if (first.status !== 401 && !first.isSessionInvalid) return first
    this.#context.stats.recordRetry(call.action, first.cause)
    const refresh = await this.refresh()
    if (refresh.status !== 200) return { ...refresh, status: null, body: null, isUncertain: first.isUncertain }
    const second = await client.send(call)
    return { ...second, isUncertain: first.isUncertain || second.isUncertain }
  }

  record(call: Pick<Call, 'action'>, result: CallResult, succeeded: boolean): void {
    if (result.interrupted) return
    if (succeeded) this.#context.stats.recordSuccess(call.action)
    else this.#context.stats.recordFailure(call.action, is2xx(result) ? unexpectedBody : result.cause)
  }

  /** Records the result. @throws GaveUp when the call got no response */
  recordOrGiveUp(call: Pick<Call, 'action'>, result: CallResult, succeeded: boolean): void {
    this.record(call, result, succeeded)
    if (result.status === null) throw new GaveUp(result.interrupted ? interruptedCause : result.cause)
  }

  /** A refresh token is valid once, so concurrent calls share one refresh. */
  refresh(): Promise<CallResult> {
    this.#pendingRefresh ??= this.#refreshOrLogIn().finally(() => {
      this.#pendingRefresh = null
    })
    return this.#pendingRefresh
  }

  /** A single refresh, with no log-in after it. */
  async refreshOnly(): Promise<CallResult> {
    const call = { action: 'refresh', method: 'POST', path: '/v1/session/refresh' } as const
    const result = await this.client.send(call)
    this.record(call, result, result.status === 200 || result.status === 401)
    return result
  }

  async #refreshOrLogIn(): Promise<CallResult> {
    const result = await this.refreshOnly()
    return result.status === 200 ? result : this.logIn()
  }
}

/** The response body, or null when the status or the shape differs. */
export function readBody<T extends z.ZodType>(
  result: Pick<CallResult, 'status' | 'body'>,
  status: number,
  schema: T,
): z.infer<T> | null {
  return result.status === status ? (schema.safeParse(result.body).data ?? null) : null
}

const secondStep = { action: 'log in, second step', method: 'POST', path: '/v1/session/second-factor' } as const

const isRefused = ({ status, body }: Pick<Answer, 'status' | 'body'>): boolean =>
  status === 401 && schemas.problem.safeParse(body).data?.code === 'invalid-credentials'

function is2xx({ status }: CallResult): boolean {
  return status !== null && status >= 200 && status < 300
}
