import type { CookieJar } from 'tough-cookie'
import type { z } from 'zod'
import type { Gate } from './arrivals.ts'
import type { Call, Client, Outcome } from './client.ts'
import type { Identity } from './content.ts'
import type { Ledger } from './ledger.ts'
import type { Step, Target } from './plan.ts'
import type { Tally } from './tally.ts'
import * as wire from './wire.ts'

/** What a person needs of the run. `doors` limits sign-ups and log-ins in flight: each costs the server a bcrypt. */
export type Surroundings = {
  ledger: Ledger
  tally: Tally
  doors: Gate
  runId: string
  openClient: (jar: CookieJar) => Client
}

/** Thrown when a person cannot go on: the server served no answer in time, or the way in is closed. */
export class GaveUp extends Error {}

/** One robot. Its methods are what a person does with the product; what the server acknowledges goes into the ledger. */
export class Person {
  readonly identity: Identity
  #around: Surroundings
  #client: Client
  #renewal: Promise<Outcome> | null = null

  constructor(identity: Identity, jar: CookieJar, around: Surroundings) {
    this.identity = identity
    this.#around = around
    this.#client = around.openClient(jar)
  }

  /** Signs up; where the name is there from an earlier run, or from a sign-up whose answer was lost, logs in. */
  async arrive(): Promise<void> {
    const { username, password, displayName, bio } = this.identity
    const body = { username, password, displayName, bio }
    const outcome = await this.#atTheDoor({ action: 'sign up', method: 'POST', path: '/v1/accounts', body }, [201, 409])
    if (outcome.status === 409) await this.logIn()
    else if (outcome.status !== 201) throw new GaveUp(outcome.cause)
    await this.#noteWhatIsThere()
  }

  async logIn(): Promise<void> {
    const outcome = await this.#enter()
    if (outcome.status !== 200) throw new GaveUp(outcome.cause)
  }

  async logOut(): Promise<void> {
    const call = { action: 'log out', method: 'DELETE', path: '/v1/session' } as const
    const outcome = await this.#client.send(call)
    this.#note(call, outcome, outcome.status === 204)
  }

  /** Writes the post of this place in the run. A repetition after a lost answer carries the same key. */
  async write(place: Target, text: string): Promise<void> {
    const { ledger, runId } = this.#around
    const key = `${runId}.${place.author}.${place.post}`
    const call = { action: 'post', method: 'POST', path: '/v1/posts', body: { text }, key } as const
    const outcome = await this.#asMember(call)
    const post = read(outcome, 201, wire.post)
    if (post) ledger.posted(place, post.id, text)
    else if (outcome.doubt || outcome.status === 201) ledger.postLost(place.author, text)
    this.#settle(call, outcome, post !== null)
  }

  /** Carries out one step of the plan; passes over a post that was never acknowledged. */
  async react(step: Step): Promise<void> {
    const { ledger } = this.#around
    const { index } = this.identity
    const post = ledger.idOf(step)
    if (post === null) return
    const request =
      step.value === null ? { method: 'DELETE' as const } : { method: 'PUT' as const, body: { value: step.value } }
    const call = { action: step.action, path: `/v1/posts/${post}/reaction`, ...request }
    const outcome = await this.#asMember(call)
    const done = read(outcome, 200, wire.reacted)?.value === step.value
    if (done) ledger.reacted(index, post, step.value, outcome.doubt)
    else if (outcome.doubt) ledger.reactionLost(index, post, step.value, outcome.doubt)
    this.#settle(call, outcome, done)
  }

  async #noteWhatIsThere(): Promise<void> {
    const { index: robot, username } = this.identity
    const account = await this.#look(`/v1/accounts/${username}`, wire.account)
    const newest = await this.#look(`/v1/accounts/${username}/posts?limit=1`, wire.page(wire.post))
    const newestBefore = newest.items[0]?.id ?? null
    this.#around.ledger.arrived({ robot, username, postsBefore: account.counts.posts, newestBefore })
  }

  async #look<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>> {
    const call = { action: 'look around', method: 'GET', path } as const
    const outcome = await this.#client.send(call)
    const seen = read(outcome, 200, schema)
    this.#settle(call, outcome, seen !== null)
    if (seen === null) throw new GaveUp(outcome.cause)
    return seen
  }

  async #atTheDoor(call: Call, expected: number[]): Promise<Outcome> {
    const outcome = await this.#around.doors.through(() => this.#client.send(call))
    this.#note(call, outcome, outcome.status !== null && expected.includes(outcome.status))
    return outcome
  }

  #enter(): Promise<Outcome> {
    const { username, password } = this.identity
    return this.#atTheDoor(
      { action: 'log in', method: 'POST', path: '/v1/session', body: { username, password } },
      [200],
    )
  }

  async #asMember(call: Call): Promise<Outcome> {
    const first = await this.#client.send(call)
    if (first.status !== 401) return first
    this.#around.tally.repeated(call.action, first.cause)
    const renewal = await this.#renew()
    if (renewal.status !== 200) return { ...renewal, status: null, body: null, doubt: first.doubt }
    const second = await this.#client.send(call)
    return { ...second, doubt: first.doubt ?? second.doubt }
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
    this.#note(call, outcome, outcome.status === 200 || outcome.status === 401)
    return outcome.status === 200 ? outcome : this.#enter()
  }

  #note(call: Call, outcome: Outcome, done: boolean): void {
    if (outcome.interrupted) return
    if (done) this.#around.tally.answered(call.action, outcome.ms)
    else this.#around.tally.failed(call.action, isSuccess(outcome) ? 'an answer of another shape' : outcome.cause)
  }

  #settle(call: Call, outcome: Outcome, done: boolean): void {
    this.#note(call, outcome, done)
    if (outcome.status === null) throw new GaveUp(outcome.cause)
  }
}

function read<T extends z.ZodType>(outcome: Outcome, status: number, schema: T): z.infer<T> | null {
  return outcome.status === status ? (schema.safeParse(outcome.body).data ?? null) : null
}

function isSuccess({ status }: Outcome): boolean {
  return status !== null && status >= 200 && status < 300
}
