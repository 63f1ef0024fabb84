import type { CookieJar } from 'tough-cookie'
import * as schemas from './api-schemas.ts'
import type { Identity } from './content.ts'
import { readPages } from './pages.ts'
import type { PostRef, ReactionStep } from './plan.ts'
import { GaveUp, type RobotContext, readBody, SessionClient } from './session-client.ts'

/** Acts as one account and records what the server acknowledged; skips unacknowledged posts. @throws GaveUp */
export class Robot {
  readonly identity: Identity
  #context: RobotContext
  #session: SessionClient

  constructor(identity: Identity, jar: CookieJar, context: RobotContext) {
    this.identity = identity
    this.#context = context
    this.#session = new SessionClient(identity, jar, context)
  }

  /** Signs up, or logs in when an earlier run or a sign-up without response has already created the account. */
  async signUp(): Promise<void> {
    const { username, password, displayName, bio } = this.identity
    const body = { username, password, displayName, bio }
    const result = await this.#session.authenticate(
      { action: 'sign up', method: 'POST', path: '/v1/accounts', body },
      [201, 409],
    )
    if (result.status === 409) await this.logIn()
    else if (result.status !== 201) throw new GaveUp(result.cause)
    await this.#recordBaseline()
  }

  async logIn(): Promise<void> {
    const result = await this.#session.logIn()
    if (result.status !== 200) throw new GaveUp(result.cause)
  }

  async logOut(): Promise<void> {
    const call = { action: 'log out', method: 'DELETE', path: '/v1/session' } as const
    const result = await this.#session.send(call)
    this.#session.record(call, result, result.status === 204)
  }

  async createPost(ref: PostRef, text: string, parent?: PostRef): Promise<void> {
    const { ledger, runId } = this.#context
    const replyTo = parent === undefined ? null : ledger.idOf(parent)
    if (parent !== undefined && replyTo === null) return
    const key = `${runId}.${ref.author}.${ref.post}`
    const [action, body] = replyTo === null ? ['post', { text }] : ['reply', { text, replyTo }]
    const call = { action, method: 'POST', path: '/v1/posts', body, key } as const
    const result = await this.#session.sendAuthenticated(call)
    const post = readBody(result, 201, schemas.post)
    if (post) ledger.addPost(ref, { id: post.id, text, replyTo, createdAt: post.createdAt })
    else if (result.uncertainty || result.status === 201) ledger.addUnansweredPost(ref.author, text)
    const parentDeleted = result.status === 400 && replyTo !== null && ledger.mayBeDeleted(replyTo)
    this.#session.recordOrGiveUp(call, result, post !== null || parentDeleted)
  }

  async react(step: ReactionStep): Promise<void> {
    const { ledger } = this.#context
    const { index } = this.identity
    const post = ledger.idOf(step)
    if (post === null) return
    const request =
      step.value === null ? { method: 'DELETE' as const } : { method: 'PUT' as const, body: { value: step.value } }
    const call = { action: step.action, path: `/v1/posts/${post}/reaction`, ...request }
    const result = await this.#session.sendAuthenticated(call)
    const applied = readBody(result, 200, schemas.reacted)?.value === step.value
    if (applied) ledger.reactions.recordAcknowledged(index, post, step.value, result.uncertainty)
    else if (result.uncertainty) ledger.reactions.recordUnanswered(index, post, step.value, result.uncertainty)
    this.#session.recordOrGiveUp(call, result, applied || (result.status === 404 && ledger.mayBeDeleted(post)))
  }

  async follow(other: Identity, follows: boolean): Promise<void> {
    const { ledger } = this.#context
    const { index } = this.identity
    const [action, method] = follows ? (['follow', 'PUT'] as const) : (['unfollow', 'DELETE'] as const)
    const call = { action, method, path: `/v1/accounts/${other.username}/follow` }
    const result = await this.#session.sendAuthenticated(call)
    const applied = result.status === 204
    if (applied) ledger.follows.recordAcknowledged(index, other.username, follows, result.uncertainty)
    else if (result.uncertainty) ledger.follows.recordUnanswered(index, other.username, follows, result.uncertainty)
    const neverSignedUp = !ledger.accounts.has(other.index)
    this.#session.recordOrGiveUp(call, result, applied || (result.status === 404 && neverSignedUp))
  }

  /** Reads the robot's timeline through the first page with an item that satisfies `isLast`. */
  readTimeline(isLast: (post: schemas.Post) => boolean): Promise<schemas.Post[]> {
    return readPages(async (query) => {
      const call = { action: 'read timeline', method: 'GET', path: `/v1/timeline?${query}` } as const
      const result = await this.#session.sendAuthenticated(call)
      const page = readBody(result, 200, schemas.page(schemas.post))
      this.#session.recordOrGiveUp(call, result, page !== null)
      if (page === null) throw new GaveUp(result.cause)
      return page
    }, isLast)
  }

  async deletePost(ref: PostRef): Promise<void> {
    const { ledger } = this.#context
    const post = ledger.idOf(ref)
    if (post === null) return
    const call = { action: 'delete post', method: 'DELETE', path: `/v1/posts/${post}` } as const
    // Before the call, so that other robots accept a 404 as soon as the server may have applied it.
    ledger.postDeletions.set(post, 'unknown')
    const result = await this.#session.sendAuthenticated(call)
    // After an unanswered attempt, 404 may mean that this attempt was applied.
    const deleted = result.status === 204 || (result.status === 404 && result.uncertainty !== null)
    if (deleted) ledger.postDeletions.set(post, 'deleted')
    else if (result.uncertainty === null) ledger.postDeletions.delete(post)
    this.#session.recordOrGiveUp(call, result, deleted)
  }

  /** Deletes the robot's account. Resolves to true when it is, or may be, deleted. */
  async deleteAccount(): Promise<boolean> {
    const { ledger } = this.#context
    const { index } = this.identity
    if (!(await this.#confirmPassword())) return false
    const call = { action: 'delete account', method: 'DELETE', path: '/v1/account' } as const
    ledger.accountDeletions.set(index, 'unknown')
    // Not sendAuthenticated: a 401 may mean that the account is deleted, and must not lead to a log-in.
    let result = await this.#session.send(call)
    // The access token or the confirmation has expired since, as when the server's clock jumps.
    const expired = result.uncertainty === null && (result.status === 401 || result.status === 403)
    if (expired && (await this.#confirmPassword())) result = await this.#session.send(call)
    if (result.status === 204) ledger.accountDeletions.set(index, 'deleted')
    else if (result.uncertainty === null) ledger.accountDeletions.delete(index)
    const deleted = result.status === 204 || (result.status === 401 && result.uncertainty !== null)
    this.#session.recordOrGiveUp(call, result, deleted)
    return ledger.accountDeletions.has(index)
  }

  async #confirmPassword(): Promise<boolean> {
    const body = { password: this.identity.password }
    const call = { action: 'confirm password', method: 'POST', path: '/v1/session/confirm', body } as const
    const result = await this.#session.sendAuthenticated(call)
    this.#session.recordOrGiveUp(call, result, result.status === 200)
    return result.status === 200
  }

  /** Records what an earlier run with the same seed has left. */
  async #recordBaseline(): Promise<void> {
    const { index: robot, username } = this.identity
    const account = await this.#session.get(`/v1/accounts/${username}`, schemas.account)
    const newest = await this.#session.get(`/v1/accounts/${username}/posts?limit=1`, schemas.page(schemas.post))
    const newestBefore = newest.items[0]?.id ?? null
    this.#context.ledger.addAccount({ robot, username, postsBefore: account.counts.posts, newestBefore })
    if (account.counts.following > 0) await this.#recordExistingFollows()
  }

  async #recordExistingFollows(): Promise<void> {
    const { index, username } = this.identity
    const { follows } = this.#context.ledger
    await readPages(async (query) => {
      const path = `/v1/accounts/${username}/following?${query}`
      const page = await this.#session.get(path, schemas.page(schemas.account))
      for (const other of page.items) follows.recordAcknowledged(index, other.username, true, null)
      return page
    })
  }
}
