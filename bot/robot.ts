import type { CookieJar } from 'tough-cookie'
import type { z } from 'zod'
import * as schemas from './api-schemas.ts'
import type { Identity } from './content.ts'
import type { PostRef, ReactionStep } from './plan.ts'
import { GaveUp, type RobotContext, read, SessionClient } from './session-client.ts'

const followed = schemas.page(schemas.account)

/** One robot. Its methods are what a robot does with the product; what the server acknowledges goes into the ledger. */
export class Robot {
  readonly identity: Identity
  #context: RobotContext
  #session: SessionClient

  constructor(identity: Identity, jar: CookieJar, context: RobotContext) {
    this.identity = identity
    this.#context = context
    this.#session = new SessionClient(identity, jar, context)
  }

  /** Signs up; where the name is there from an earlier run, or from a sign-up whose answer was lost, logs in. */
  async arrive(): Promise<void> {
    const { username, password, displayName, bio } = this.identity
    const body = { username, password, displayName, bio }
    const outcome = await this.#session.authenticate(
      { action: 'sign up', method: 'POST', path: '/v1/accounts', body },
      [201, 409],
    )
    if (outcome.status === 409) await this.logIn()
    else if (outcome.status !== 201) throw new GaveUp(outcome.cause)
    await this.#noteWhatIsThere()
  }

  async logIn(): Promise<void> {
    const outcome = await this.#session.enter()
    if (outcome.status !== 200) throw new GaveUp(outcome.cause)
  }

  async logOut(): Promise<void> {
    const call = { action: 'log out', method: 'DELETE', path: '/v1/session' } as const
    const outcome = await this.#session.send(call)
    this.#session.note(call, outcome, outcome.status === 204)
  }

  /**
   * Writes the post of this place in the run, as a reply to another unless that was never acknowledged. A repetition
   * after a lost answer carries the same key.
   */
  async write(place: PostRef, text: string, parent?: PostRef): Promise<void> {
    const { ledger, runId } = this.#context
    const replyTo = parent === undefined ? null : ledger.idOf(parent)
    if (parent !== undefined && replyTo === null) return
    const key = `${runId}.${place.author}.${place.post}`
    const [action, body] = replyTo === null ? ['post', { text }] : ['reply', { text, replyTo }]
    const call = { action, method: 'POST', path: '/v1/posts', body, key } as const
    const outcome = await this.#session.sendAuthenticated(call)
    const post = read(outcome, 201, schemas.post)
    if (post) ledger.addPost(place, { id: post.id, text, replyTo, createdAt: post.createdAt })
    else if (outcome.uncertainty || outcome.status === 201) ledger.addUnansweredPost(place.author, text)
    const came = outcome.status === 400 && replyTo !== null && ledger.mayBeDeleted(replyTo)
    this.#session.settle(call, outcome, post !== null || came)
  }

  /** Carries out one step of the plan; passes over a post that was never acknowledged. */
  async react(step: ReactionStep): Promise<void> {
    const { ledger } = this.#context
    const { index } = this.identity
    const post = ledger.idOf(step)
    if (post === null) return
    const request =
      step.value === null ? { method: 'DELETE' as const } : { method: 'PUT' as const, body: { value: step.value } }
    const call = { action: step.action, path: `/v1/posts/${post}/reaction`, ...request }
    const outcome = await this.#session.sendAuthenticated(call)
    const done = read(outcome, 200, schemas.reacted)?.value === step.value
    if (done) ledger.reactions.recordAcknowledged(index, post, step.value, outcome.uncertainty)
    else if (outcome.uncertainty) ledger.reactions.recordUnanswered(index, post, step.value, outcome.uncertainty)
    this.#session.settle(call, outcome, done || (outcome.status === 404 && ledger.mayBeDeleted(post)))
  }

  /** Follows somebody, or no longer does. */
  async follow(other: Identity, follows: boolean): Promise<void> {
    const { ledger } = this.#context
    const { index } = this.identity
    const [action, method] = follows ? (['follow', 'PUT'] as const) : (['unfollow', 'DELETE'] as const)
    const call = { action, method, path: `/v1/accounts/${other.username}/follow` }
    const outcome = await this.#session.sendAuthenticated(call)
    const done = outcome.status === 204
    if (done) ledger.follows.recordAcknowledged(index, other.username, follows, outcome.uncertainty)
    else if (outcome.uncertainty) ledger.follows.recordUnanswered(index, other.username, follows, outcome.uncertainty)
    const neverCame = !ledger.accounts.has(other.index)
    this.#session.settle(call, outcome, done || (outcome.status === 404 && neverCame))
  }

  /** Everything in one's timeline, page by page, until one item satisfies `enough`. */
  async readTimeline(enough: (post: schemas.Post) => boolean): Promise<schemas.Post[]> {
    const items: schemas.Post[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/v1/timeline?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const call = { action: 'read timeline', method: 'GET', path } as const
      const outcome = await this.#session.sendAuthenticated(call)
      const page = read(outcome, 200, schemas.page(schemas.post))
      this.#session.settle(call, outcome, page !== null)
      if (page === null) throw new GaveUp(outcome.cause)
      items.push(...page.items)
      cursor = page.items.some(enough) ? null : page.nextCursor
    }
    return items
  }

  /** Deletes the post of this place in the run; passes over one that was never acknowledged. */
  async remove(place: PostRef): Promise<void> {
    const { ledger } = this.#context
    const post = ledger.idOf(place)
    if (post === null) return
    const call = { action: 'delete post', method: 'DELETE', path: `/v1/posts/${post}` } as const
    ledger.postDeletions.set(post, 'unknown')
    const outcome = await this.#session.sendAuthenticated(call)
    // When an answer was lost, 404 may be the answer to what was done then.
    const done = outcome.status === 204 || (outcome.status === 404 && outcome.uncertainty !== null)
    if (done) ledger.postDeletions.set(post, 'deleted')
    else if (outcome.uncertainty === null) ledger.postDeletions.delete(post)
    this.#session.settle(call, outcome, done)
  }

  /** Deletes one's account; whether it is gone now, or may be. */
  async leave(): Promise<boolean> {
    const { ledger } = this.#context
    const { index, password } = this.identity
    const confirming = { action: 'confirm', method: 'POST', path: '/v1/session/confirm', body: { password } } as const
    const confirmed = await this.#session.sendAuthenticated(confirming)
    this.#session.settle(confirming, confirmed, confirmed.status === 200)
    if (confirmed.status !== 200) return false
    const call = { action: 'delete account', method: 'DELETE', path: '/v1/account' } as const
    ledger.accountDeletions.set(index, 'unknown')
    // Not as a member: whoever is refused here must not log in again.
    const outcome = await this.#session.send(call)
    if (outcome.status === 204) ledger.accountDeletions.set(index, 'deleted')
    else if (outcome.uncertainty === null) ledger.accountDeletions.delete(index)
    this.#session.settle(
      call,
      outcome,
      outcome.status === 204 || (outcome.status === 401 && outcome.uncertainty !== null),
    )
    return ledger.accountDeletions.has(index)
  }

  async #noteWhatIsThere(): Promise<void> {
    const { index: robot, username } = this.identity
    const account = await this.#session.look(`/v1/accounts/${username}`, schemas.account)
    const newest = await this.#session.look(`/v1/accounts/${username}/posts?limit=1`, schemas.page(schemas.post))
    const newestBefore = newest.items[0]?.id ?? null
    this.#context.ledger.addAccount({ robot, username, postsBefore: account.counts.posts, newestBefore })
    if (account.counts.following > 0) await this.#noteWhomOneFollows()
  }

  /** From an earlier run with the same seed. */
  async #noteWhomOneFollows(): Promise<void> {
    const { index: robot, username } = this.identity
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = `limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const page: z.infer<typeof followed> = await this.#session.look(
        `/v1/accounts/${username}/following?${query}`,
        followed,
      )
      for (const other of page.items) this.#context.ledger.follows.recordAcknowledged(robot, other.username, true, null)
      cursor = page.nextCursor
    }
  }
}
