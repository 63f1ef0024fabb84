import type { CookieJar } from 'tough-cookie'
import type { z } from 'zod'
import type { Call, Client, Outcome } from './client.ts'
import type { Semaphore } from './concurrency.ts'
import type { Identity } from './content.ts'
import type { Ledger } from './ledger.ts'
import type { Stats } from './stats.ts'

/** What a robot needs of the run. `authSlots` limits sign-ups and log-ins in flight: each costs the server a bcrypt. */
export type RobotContext = {
  ledger: Ledger
  stats: Stats
  authSlots: Semaphore
  runId: string
  openClient: (jar: CookieJar) => Client
}

/** Thrown when a robot cannot go on: the server served no answer in time, or the way in is closed. */
export class GaveUp extends Error {}

/** Somebody's way in and out: requests with a session that is renewed when it has to be, each noted in the stats. */
export class SessionClient {
  #identity: Identity
  #context: RobotContext
  #client: Client
  #renewal: Promise<Outcome> | null = null

  constructor(identity: Identity, jar: CookieJar, context: RobotContext) {
    this.#identity = identity
    this.#context = context
    this.#client = context.openClient(jar)
  }

  send(call: Call): Promise<Outcome> {
    return this.#client.send(call)
  }

  async look<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>> {
    const call = { action: 'look around', method: 'GET', path } as const
    const outcome = await this.#client.send(call)
    const seen = read(outcome, 200, schema)
    this.settle(call, outcome, seen !== null)
    if (seen === null) throw new GaveUp(outcome.cause)
    return seen
  }

  async authenticate(call: Call, expected: number[]): Promise<Outcome> {
    const outcome = await this.#context.authSlots.run(() => this.#client.send(call))
    this.note(call, outcome, outcome.status !== null && expected.includes(outcome.status))
    return outcome
  }

  enter(): Promise<Outcome> {
    const { username, password } = this.#identity
    return this.authenticate(
      { action: 'log in', method: 'POST', path: '/v1/session', body: { username, password } },
      [200],
    )
  }

  async sendAuthenticated(call: Call): Promise<Outcome> {
    const first = await this.#client.send(call)
    if (first.status !== 401) return first
    this.#context.stats.recordRetry(call.action, first.cause)
    const renewal = await this.#renew()
    if (renewal.status !== 200) return { ...renewal, status: null, body: null, uncertainty: first.uncertainty }
    const second = await this.#client.send(call)
    return { ...second, uncertainty: first.uncertainty ?? second.uncertainty }
  }

  note(call: Call, outcome: Outcome, done: boolean): void {
    if (outcome.interrupted) return
    if (done) this.#context.stats.recordSuccess(call.action, outcome.ms)
    else
      this.#context.stats.recordFailure(call.action, isSuccess(outcome) ? 'an answer of another shape' : outcome.cause)
  }

  settle(call: Call, outcome: Outcome, done: boolean): void {
    this.note(call, outcome, done)
    if (outcome.status === null) throw new GaveUp(outcome.cause)
  }

  /** A refresh token is good for one turn, so requests that expire together share one renewal. */
  #renew(): Promise<Outcome> {
    this.#renewal ??= this.#takeNextTurn().finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  async #takeNextTurn(): Promise<Outcome> {
    const call = { action: 'refresh', method: 'POST', path: '/v1/session/refresh' } as const
    const outcome = await this.#client.send(call)
    this.note(call, outcome, outcome.status === 200 || outcome.status === 401)
    return outcome.status === 200 ? outcome : this.enter()
  }
}

/** The answer's body, if it has this status and shape. */
export function read<T extends z.ZodType>(outcome: Outcome, status: number, schema: T): z.infer<T> | null {
  return outcome.status === status ? (schema.safeParse(outcome.body).data ?? null) : null
}

function isSuccess({ status }: Outcome): boolean {
  return status !== null && status >= 200 && status < 300
}
