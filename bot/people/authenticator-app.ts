import { setTimeout as sleep } from 'node:timers/promises'
import { Secret, TOTP } from 'otpauth'
import type { CallResult } from '../call.ts'
import type { Write } from '../history/operation.ts'
import { registers } from '../history/registers.ts'
import type { Tally } from './tally.ts'

/** What a robot gives beside its password, and what that uses up. */
export type Factor = { body: { code: string } | { recoveryCode: string }; writes: readonly Write[] }

export type FactorKind = 'code' | 'recovery code'

export const recoveryCodeCount = 10

/** A login's second step has five tries, and a claim may need one of them. */
const maxTries = 3
const periodMs = 30_000

/** The authenticator app of a robot (RFC 6238), with the recovery codes that came with it. */
export class AuthenticatorApp {
  /** Whether it is the account's second factor: unknown after a change without an answer. */
  state: 'off' | 'on' | 'unknown' = 'off'
  /** What has served, and must not serve again. */
  used: { code?: string; recoveryCode?: string } = {}
  #username: string
  #totp: TOTP
  #now: () => number
  #lastStep = 0
  #recoveryCodes: { number: number; recoveryCode: string }[] = []

  /** @param secret - in base 32 */
  constructor(username: string, secret: string, now: () => number = Date.now) {
    this.#username = username
    this.#now = now
    this.#totp = new TOTP({ secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits: 6, period: periodMs / 1_000 })
  }

  set recoveryCodes(codes: readonly string[]) {
    this.#recoveryCodes = codes.map((recoveryCode, number) => ({ number, recoveryCode }))
  }

  /** What makes all recovery codes valid, or void. */
  writesOfRecoveryCodes(value: boolean): Write[] {
    return Array.from({ length: recoveryCodeCount }, (_, number) => ({
      register: registers.recoveryCode(this.#username, number),
      value,
    }))
  }

  /**
   * Each serves once. The server takes the codes of the present step and of the next; when both have served, a recovery code
   * saves waiting for the step after them.
   */
  async next(preferred: FactorKind = 'code'): Promise<Factor> {
    const present = this.#presentStep()
    const step = Math.max(present, this.#lastStep + 1)
    const isTooEarly = step > present + 1
    const spare = preferred === 'recovery code' || isTooEarly ? this.#recoveryCodes.shift() : undefined
    if (spare) {
      const { number, recoveryCode } = spare
      const register = registers.recoveryCode(this.#username, number)
      return { body: { recoveryCode }, writes: [{ register, value: false }] }
    }
    if (isTooEarly) await sleep(Math.min((step - 1) * periodMs - this.#now(), periodMs))
    this.#lastStep = step
    return { body: { code: this.#codeOf(step) }, writes: [] }
  }

  /**
   * Gives factors until one is accepted, after a refusal recovery codes: the server's clock may be wrong, or an attempt without
   * an answer may have used the code.
   */
  async present(give: (factor: Factor) => Promise<CallResult>, preferred?: FactorKind): Promise<CallResult> {
    for (let tries = 1; ; tries += 1) {
      const factor = await this.next(tries === 1 ? preferred : 'recovery code')
      const result = await give(factor)
      if (result.status === 200) this.used = { ...this.used, ...factor.body }
      if (result.cause !== '401 invalid-credentials' || tries === maxTries) return result
    }
  }

  /** A code that no step around the present one has. */
  madeUpCode(): string {
    const present = this.#presentStep()
    const right = [-2, -1, 0, 1, 2].map((offset) => this.#codeOf(present + offset))
    const codes = Array.from({ length: right.length + 1 }, (_, n) => String(n).padStart(6, '0'))
    return codes.find((code) => !right.includes(code)) ?? ''
  }

  #presentStep(): number {
    return Math.floor(this.#now() / periodMs)
  }

  #codeOf(step: number): string {
    return this.#totp.generate({ timestamp: step * periodMs })
  }
}

/** Counts what giving a factor adds to the activity of the account. */
export function countFactor(tally: Tally, { body }: Factor, result: CallResult): void {
  if ('recoveryCode' in body) tally.count('recovery-code-used', result, 200)
  const isUncertain = result.status === 401 || result.isUncertain
  tally.count('second-factor-failed', { status: null, isUncertain }, 401)
}
