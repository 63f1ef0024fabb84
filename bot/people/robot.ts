import * as schemas from '../api-schemas.ts'
import type { Answer, Call, CallResult } from '../client.ts'
import { type Identity, nextBio } from '../content.ts'
import type { Observation } from '../history/operation.ts'
import { registers } from '../history/registers.ts'
import { countFactor, type Factor } from './authenticator-app.ts'
import { observeAccount } from './observe.ts'
import { Reading } from './reading.ts'
import { GaveUp, type Owner, type RobotContext, Session } from './session.ts'
import { Tally } from './tally.ts'

/** Acts as one account: its sessions and its profile, with what they do to the registers of the history. @throws GaveUp */
export class Robot {
  readonly identity: Owner
  readonly tally = new Tally()
  readonly context: RobotContext
  session: Session
  /** Other browsers in which it has logged in. */
  readonly devices: Session[] = []
  isSignedUp = false
  /** Whether the account is, or may be, deleted. */
  isGone = false

  constructor(identity: Identity, context: RobotContext) {
    this.identity = { ...identity, app: null }
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
    const call: Call = {
      ...{ action: 'sign up', method: 'POST', path: '/v1/accounts', body: { username, password, displayName, bio } },
      writes: [
        { register: registers.account(username), value: true },
        { register: registers.displayName(username), value: displayName },
        { register: registers.bio(username), value: bio },
      ],
      observe: (answer) => (answer.status === 201 ? this.#observeOwn(answer) : []),
    }
    const result = await this.session.authenticate(call, ({ status }) => status === 201 || status === 409)
    this.tally.count('account-created', result, 201)
    if (result.isUncertain) this.tally.hasUnknownSessions = true
    if (result.status === 409) await this.logIn()
    else if (result.status !== 201) throw new GaveUp(result.cause)
    else {
      this.isSignedUp = true
      await this.learnSession()
    }
    this.context.directory.join(username)
  }

  /** Asks for the id of a session that has begun. */
  async learnSession(): Promise<void> {
    const call = { action: 'read session', method: 'GET', path: '/v1/session' } as const
    this.session.begins(await this.orUnknown(() => this.send(call)))
  }

  /** Without an answer, it is unknown which sessions are live. */
  async orUnknown<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      this.tally.hasUnknownSessions = true
      throw error
    }
  }

  /** Another browser, which is logged out with the others. */
  newDevice(): Session {
    const device = new Session(this.identity, this.context, this.tally)
    this.devices.push(device)
    return device
  }

  async logIn(): Promise<void> {
    const result = await this.session.logIn()
    if (result.status !== 200) throw new GaveUp(result.cause)
    this.isSignedUp = true
  }

  async logOut(session = this.session): Promise<void> {
    const call = { action: 'log out', method: 'DELETE', path: '/v1/session' } as const
    const result = await session.client.send(call)
    session.record(call, result, result.status === 204)
    this.tally.count('logout', result, 204)
    if (result.status === null) this.tally.hasUnknownSessions = true
    if (session.id !== null) this.tally.sessions.delete(session.id)
  }

  /** Logs out everywhere. */
  async logOutAll(): Promise<void> {
    await this.logOut()
    for (const device of this.devices)
      if (device.id !== null && this.tally.sessions.has(device.id)) await this.logOut(device)
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

  /** Gives the password again, and the second factor if there may be one. */
  async confirmPassword(): Promise<boolean> {
    const { app } = this.identity
    const hasFactor = app !== null && app.state !== 'off'
    const result = hasFactor ? await app.present((factor) => this.#confirm(factor)) : await this.#confirm()
    this.session.recordOrGiveUp(confirmation, result, result.status === 200)
    return result.status === 200
  }

  async #confirm(factor?: Factor): Promise<CallResult> {
    const { client } = this.session
    const body = { password: this.identity.password, ...factor?.body }
    const call: Call = { ...confirmation, body, writes: factor?.writes ?? [] }
    // What serves once cannot be sent twice on purpose.
    const result = await this.context.authSlots.run(() => this.session.send(call, client, !factor))
    this.tally.count('session-confirmed', result, 200)
    if (factor) countFactor(this.tally, factor, result)
    return result
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
}

const confirmation = { action: 'confirm password', method: 'POST', path: '/v1/session/confirm' } as const

/** Whether it is an answer that the contract allows: what may have been deleted by then is the checker's to judge. */
function isExpected({ method, action }: Call, { status, body }: CallResult): boolean {
  if (status === null) return false
  if (status === 404) return true
  if (action === 'reply' && status === 400) return true
  if (method === 'GET' && status === 200) return typeof body === 'object'
  return status >= 200 && status < 300
}
