import * as schemas from '../api-schemas.ts'
import type { Answer, Call, CallResult } from '../client.ts'
import { type Identity, nextBio, postText } from '../content.ts'
import type { Observation } from '../history/operation.ts'
import { lists, postOf, registers } from '../history/registers.ts'
import type { PostRef, Reaction } from '../plan.ts'
import { observeAccount, observePost } from './observe.ts'
import { Reading } from './reading.ts'
import { GaveUp, type RobotContext, readBody, Session } from './session.ts'
import { Tally } from './tally.ts'

/** Of the creations, one in twenty is sent twice, one in a hundred at the same moment. */
const twiceEvery = 20
const atOnceEvery = 100

/** Acts as one account: its writes, with what they do to the registers of the history. @throws GaveUp */
export class Robot {
  readonly identity: Identity
  readonly tally = new Tally()
  readonly context: RobotContext
  session: Session
  /** Whether the account is, or may be, deleted. */
  isGone = false

  constructor(identity: Identity, context: RobotContext) {
    this.identity = { ...identity }
    this.context = context
    this.session = new Session(this.identity, context, this.tally)
  }

  get username(): string {
    return this.identity.username
  }

  /** Reads as this robot. With `isOther`, over other connections than its writes. */
  reading(isOther = false): Reading {
    return new Reading(this.context.directory, this.username, (call) => this.send(call, isOther))
  }

  /** Sends a call with the session and records whether the answer is one that the contract allows. */
  async send(call: Call, isOther = false): Promise<CallResult> {
    const result = await this.session.send(call, isOther ? this.session.other : this.session.client)
    this.session.recordOrGiveUp(call, result, isExpected(call, result))
    return result
  }

  /** Signs up, or logs in if an attempt without an answer has created the account. */
  async signUp(): Promise<void> {
    const { username, password, displayName, bio } = this.identity
    this.context.directory.addAccount(username)
    const result = await this.session.authenticate({
      ...{ action: 'sign up', method: 'POST', path: '/v1/accounts', body: { username, password, displayName, bio } },
      writes: [
        { register: registers.account(username), value: true },
        { register: registers.displayName(username), value: displayName },
        { register: registers.bio(username), value: bio },
      ],
      observe: (answer) => (answer.status === 201 ? this.#observeOwn(answer) : []),
    })
    this.tally.count('account-created', result, 201)
    if (result.isUncertain) this.tally.hasUnknownSessions = true
    if (result.status === 409) await this.logIn()
    else if (result.status !== 201) throw new GaveUp(result.cause)
    else this.session.begins(await this.readSession())
    this.context.directory.join(username)
  }

  readSession(): Promise<CallResult> {
    return this.send({ action: 'read session', method: 'GET', path: '/v1/session' })
  }

  async logIn(): Promise<void> {
    const result = await this.session.logIn()
    if (result.status !== 200) throw new GaveUp(result.cause)
  }

  async logOut(): Promise<void> {
    const call = { action: 'log out', method: 'DELETE', path: '/v1/session' } as const
    const result = await this.session.client.send(call)
    this.session.record(call, result, result.status === 204)
    this.tally.count('logout', result, 204)
    if (this.session.id !== null) this.tally.sessions.delete(this.session.id)
  }

  /** Creates a post, or a reply if `parent` is given. Resolves to false if its parent does not exist. */
  async createPost(number: number, parent?: string): Promise<boolean> {
    const { directory, run, seed } = this.context
    const { index } = this.identity
    const post = postOf(this.username, number)
    const replyTo = parent === undefined ? null : await directory.whenKnown(parent)
    if (parent !== undefined && replyTo === null) return false
    directory.announce(post, parent ?? null)
    const text = postText(seed, index, number)
    const call: Call = {
      ...{ action: parent ? 'reply' : 'post', method: 'POST', path: '/v1/posts', key: `${run}.${index}.${number}` },
      body: replyTo === null ? { text } : { text, replyTo },
      writes: [
        { register: registers.post(post), value: true, ...(parent && { parent }) },
        { register: registers.text(post), value: text },
      ],
      observe: (answer) => {
        if (answer.status === 201) return this.#observePostIn(answer)
        return answer.status === 400 && parent ? [{ register: registers.post(parent), value: false }] : []
      },
    }
    const nth = number + index * 7
    const times = nth % twiceEvery === 7 ? 2 : 1
    const sends: CallResult[] = nth % atOnceEvery === 57 ? await Promise.all([this.send(call), this.send(call)]) : []
    for (let n = sends.length; n < times; n += 1) sends.push(await this.send(call))
    directory.tried(post)
    return sends.some(({ status }) => status === 201)
  }

  async editPost(number: number, version: number): Promise<void> {
    const { directory, seed } = this.context
    const post = postOf(this.username, number)
    const id = directory.idOf(post)
    if (id === null) return
    const text = postText(seed, this.identity.index, number, version)
    await this.send({
      ...{ action: 'edit post', method: 'PATCH', path: `/v1/posts/${id}`, body: { text } },
      writes: [{ register: registers.text(post), value: text }],
      observe: (answer) => (answer.status === 200 ? this.#observePostIn(answer) : gone(answer, registers.post(post))),
    })
  }

  async deletePost(number: number): Promise<void> {
    const post = postOf(this.username, number)
    const id = this.context.directory.idOf(post)
    if (id === null) return
    await this.send({
      ...{ action: 'delete post', method: 'DELETE', path: `/v1/posts/${id}` },
      writes: [{ register: registers.post(post), value: false }],
      observe: (answer) => gone(answer, registers.post(post)),
    })
  }

  async react(ref: PostRef & { key: string }, value: Reaction | null): Promise<void> {
    const id = this.context.directory.idOf(ref.key)
    if (id === null) return
    const request = value === null ? { method: 'DELETE' as const } : { method: 'PUT' as const, body: { value } }
    await this.send({
      ...{ action: value ?? 'remove reaction', path: `/v1/posts/${id}/reaction`, ...request },
      writes: [{ register: registers.reaction(this.username, ref.key), value }],
      observe: (answer) => {
        const reacted = readBody(answer, 200, schemas.reacted)
        if (!reacted) return gone(answer, registers.post(ref.key))
        return [
          { register: registers.reaction(this.username, ref.key), value: reacted.value },
          { count: lists.likes(ref.key), value: reacted.counts.likes },
          { count: lists.dislikes(ref.key), value: reacted.counts.dislikes },
          { count: lists.replies(ref.key), value: reacted.counts.replies },
        ]
      },
    })
  }

  async follow(username: string, follows: boolean): Promise<void> {
    await this.send({
      ...{ action: follows ? 'follow' : 'unfollow', method: follows ? 'PUT' : 'DELETE' },
      path: `/v1/accounts/${username}/follow`,
      writes: [{ register: registers.follow(this.username, username), value: follows }],
      observe: (answer) => gone(answer, registers.account(username)),
    })
  }

  async changeProfile(): Promise<void> {
    const bio = nextBio(this.context.seed, this.identity.index)
    const displayName = `${this.identity.displayName} II`
    await this.send({
      ...{ action: 'change profile', method: 'PATCH', path: '/v1/account', body: { bio, displayName } },
      writes: [
        { register: registers.bio(this.username), value: bio },
        { register: registers.displayName(this.username), value: displayName },
      ],
      observe: (answer) => (answer.status === 200 ? this.#observeOwn(answer) : []),
    })
  }

  async confirmPassword(): Promise<boolean> {
    const body = { password: this.identity.password }
    const call = { action: 'confirm password', method: 'POST', path: '/v1/session/confirm', body } as const
    const result = await this.context.authSlots.run(() => this.session.send(call))
    this.session.recordOrGiveUp(call, result, result.status === 200)
    this.tally.count('session-confirmed', result, 200)
    return result.status === 200
  }

  /** Deletes the account. */
  async deleteAccount(): Promise<void> {
    if (!(await this.confirmPassword())) return
    const call: Call = {
      ...{ action: 'delete account', method: 'DELETE', path: '/v1/account' },
      writes: [{ register: registers.account(this.username), value: false }],
    }
    // Not with `send`: a 401 may mean that the account is deleted, and must not lead to a log-in.
    let result = await this.session.client.send(call)
    // The access token or the confirmation has expired since, as when the server's clock jumps.
    const expired = !result.isUncertain && (result.status === 401 || result.status === 403)
    if (expired && (await this.confirmPassword())) result = await this.session.client.send(call)
    this.isGone = result.status === 204 || result.isUncertain
    this.session.recordOrGiveUp(call, result, result.status === 204 || (result.status === 401 && result.isUncertain))
  }

  #observeOwn(answer: Answer): Observation[] {
    const account = schemas.account.safeParse(answer.body).data
    // The answer to a sign-up shows the account as a visitor sees it.
    return account ? observeAccount({ directory: this.context.directory, account: null }, account, answer) : []
  }

  #observePostIn(answer: Answer): Observation[] {
    const post = schemas.post.safeParse(answer.body).data
    return post ? observePost({ directory: this.context.directory, account: this.username }, post, answer) : []
  }
}

const gone = ({ status }: Pick<Answer, 'status'>, register: string): Observation[] =>
  status === 404 ? [{ register, value: false }] : []

/** Whether it is an answer that the contract allows: what may have been deleted by then is the checker's to judge. */
function isExpected({ method, action }: Call, { status, body }: CallResult): boolean {
  if (status === null) return false
  if (status === 404) return true
  if (action === 'reply' && status === 400) return true
  if (method === 'GET' && status === 200) return typeof body === 'object'
  return status >= 200 && status < 300
}
