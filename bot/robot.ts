import type { CookieJar } from 'tough-cookie'
import type { z } from 'zod'
import * as wire from './api-schemas.ts'
import type { Identity } from './content.ts'
import type { Step, Target } from './plan.ts'
import { GaveUp, Member, read, type Surroundings } from './session-client.ts'

const followed = wire.page(wire.account)

/** One robot. Its methods are what a person does with the product; what the server acknowledges goes into the ledger. */
export class Person {
  readonly identity: Identity
  #around: Surroundings
  #member: Member

  constructor(identity: Identity, jar: CookieJar, around: Surroundings) {
    this.identity = identity
    this.#around = around
    this.#member = new Member(identity, jar, around)
  }

  /** Signs up; where the name is there from an earlier run, or from a sign-up whose answer was lost, logs in. */
  async arrive(): Promise<void> {
    const { username, password, displayName, bio } = this.identity
    const body = { username, password, displayName, bio }
    const outcome = await this.#member.atTheDoor(
      { action: 'sign up', method: 'POST', path: '/v1/accounts', body },
      [201, 409],
    )
    if (outcome.status === 409) await this.logIn()
    else if (outcome.status !== 201) throw new GaveUp(outcome.cause)
    await this.#noteWhatIsThere()
  }

  async logIn(): Promise<void> {
    const outcome = await this.#member.enter()
    if (outcome.status !== 200) throw new GaveUp(outcome.cause)
  }

  async logOut(): Promise<void> {
    const call = { action: 'log out', method: 'DELETE', path: '/v1/session' } as const
    const outcome = await this.#member.send(call)
    this.#member.note(call, outcome, outcome.status === 204)
  }

  /**
   * Writes the post of this place in the run, as a reply to another unless that was never acknowledged. A repetition
   * after a lost answer carries the same key.
   */
  async write(place: Target, text: string, parent?: Target): Promise<void> {
    const { ledger, runId } = this.#around
    const replyTo = parent === undefined ? null : ledger.idOf(parent)
    if (parent !== undefined && replyTo === null) return
    const key = `${runId}.${place.author}.${place.post}`
    const [action, body] = replyTo === null ? ['post', { text }] : ['reply', { text, replyTo }]
    const call = { action, method: 'POST', path: '/v1/posts', body, key } as const
    const outcome = await this.#member.asMember(call)
    const post = read(outcome, 201, wire.post)
    if (post) ledger.posted(place, { id: post.id, text, replyTo, createdAt: post.createdAt })
    else if (outcome.doubt || outcome.status === 201) ledger.postLost(place.author, text)
    const came = outcome.status === 400 && replyTo !== null && ledger.mayBeGone(replyTo)
    this.#member.settle(call, outcome, post !== null || came)
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
    const outcome = await this.#member.asMember(call)
    const done = read(outcome, 200, wire.reacted)?.value === step.value
    if (done) ledger.reactions.acknowledged(index, post, step.value, outcome.doubt)
    else if (outcome.doubt) ledger.reactions.lost(index, post, step.value, outcome.doubt)
    this.#member.settle(call, outcome, done || (outcome.status === 404 && ledger.mayBeGone(post)))
  }

  /** Follows somebody, or no longer does. */
  async follow(other: Identity, follows: boolean): Promise<void> {
    const { ledger } = this.#around
    const { index } = this.identity
    const [action, method] = follows ? (['follow', 'PUT'] as const) : (['unfollow', 'DELETE'] as const)
    const call = { action, method, path: `/v1/accounts/${other.username}/follow` }
    const outcome = await this.#member.asMember(call)
    const done = outcome.status === 204
    if (done) ledger.follows.acknowledged(index, other.username, follows, outcome.doubt)
    else if (outcome.doubt) ledger.follows.lost(index, other.username, follows, outcome.doubt)
    const neverCame = !ledger.accounts.has(other.index)
    this.#member.settle(call, outcome, done || (outcome.status === 404 && neverCame))
  }

  /** Everything in one's timeline, page by page, until one item satisfies `enough`. */
  async readTimeline(enough: (post: wire.Post) => boolean): Promise<wire.Post[]> {
    const items: wire.Post[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/v1/timeline?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const call = { action: 'read timeline', method: 'GET', path } as const
      const outcome = await this.#member.asMember(call)
      const page = read(outcome, 200, wire.page(wire.post))
      this.#member.settle(call, outcome, page !== null)
      if (page === null) throw new GaveUp(outcome.cause)
      items.push(...page.items)
      cursor = page.items.some(enough) ? null : page.nextCursor
    }
    return items
  }

  /** Deletes the post of this place in the run; passes over one that was never acknowledged. */
  async remove(place: Target): Promise<void> {
    const { ledger } = this.#around
    const post = ledger.idOf(place)
    if (post === null) return
    const call = { action: 'delete post', method: 'DELETE', path: `/v1/posts/${post}` } as const
    ledger.removals.set(post, 'perhaps gone')
    const outcome = await this.#member.asMember(call)
    // When an answer was lost, 404 may be the answer to what was done then.
    const done = outcome.status === 204 || (outcome.status === 404 && outcome.doubt !== null)
    if (done) ledger.removals.set(post, 'gone')
    else if (outcome.doubt === null) ledger.removals.delete(post)
    this.#member.settle(call, outcome, done)
  }

  /** Deletes one's account; whether it is gone now, or may be. */
  async leave(): Promise<boolean> {
    const { ledger } = this.#around
    const { index, password } = this.identity
    const confirming = { action: 'confirm', method: 'POST', path: '/v1/session/confirm', body: { password } } as const
    const confirmed = await this.#member.asMember(confirming)
    this.#member.settle(confirming, confirmed, confirmed.status === 200)
    if (confirmed.status !== 200) return false
    const call = { action: 'delete account', method: 'DELETE', path: '/v1/account' } as const
    ledger.departures.set(index, 'perhaps gone')
    // Not as a member: whoever is refused here must not log in again.
    const outcome = await this.#member.send(call)
    if (outcome.status === 204) ledger.departures.set(index, 'gone')
    else if (outcome.doubt === null) ledger.departures.delete(index)
    this.#member.settle(call, outcome, outcome.status === 204 || (outcome.status === 401 && outcome.doubt !== null))
    return ledger.departures.has(index)
  }

  async #noteWhatIsThere(): Promise<void> {
    const { index: robot, username } = this.identity
    const account = await this.#member.look(`/v1/accounts/${username}`, wire.account)
    const newest = await this.#member.look(`/v1/accounts/${username}/posts?limit=1`, wire.page(wire.post))
    const newestBefore = newest.items[0]?.id ?? null
    this.#around.ledger.arrived({ robot, username, postsBefore: account.counts.posts, newestBefore })
    if (account.counts.following > 0) await this.#noteWhomOneFollows()
  }

  /** From an earlier run with the same seed. */
  async #noteWhomOneFollows(): Promise<void> {
    const { index: robot, username } = this.identity
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = `limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const page: z.infer<typeof followed> = await this.#member.look(
        `/v1/accounts/${username}/following?${query}`,
        followed,
      )
      for (const other of page.items) this.#around.ledger.follows.acknowledged(robot, other.username, true, null)
      cursor = page.nextCursor
    }
  }
}
