import type { FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { FailedLogins } from '../activity/failed-logins.ts'
import type { ActivityStore } from '../activity/store.ts'
import { Problem } from '../http/problems.ts'
import type { FailedCodes } from '../limits/failed-codes.ts'
import { releaseSoon } from '../limits/release.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { recoveryCodeDigest } from './recovery-codes.ts'
import type { PresentedFactor } from './schema.ts'
import type { SecondFactorStore } from './store.ts'
import { stepOf } from './totp.ts'

export type CheckContext = {
  failedCodes: Pick<FailedCodes, 'acquire'>
  failedLogins: FailedLogins
  securityLog: SecurityLog
}

export type ProveContext = CheckContext & {
  activity: Pick<ActivityStore, 'record'>
  secondFactors: Pick<SecondFactorStore, 'findTotp' | 'hasRecoveryCode' | 'useCode' | 'useRecoveryCode'>
}

/** Makes a factor that was checked serve, once. @throws WrongCode if another request has just used it */
export type UseFactor = (transaction: ClientSession) => Promise<void>

/** @property isExpected - whether the owner needs no mail of a wrong code */
type FailureOptions = { isExpected?: boolean }

export class WrongCode extends Problem {
  constructor() {
    super('invalid-credentials', 'The code is wrong, or has been used.')
  }
}

/** @param howTo - a sentence: where to give it */
export const secondFactorRequired = (howTo: string) =>
  new Problem('second-factor-required', `The password is right, and a second factor is needed. ${howTo}`)

async function fail(
  request: FastifyRequest,
  account: string,
  { failedLogins, securityLog }: CheckContext,
  options?: FailureOptions,
): Promise<never> {
  securityLog.record('authn_second_factor_fail', { request })
  await failedLogins.record(account, request.client, 'second-factor-failed', options)
  throw new WrongCode()
}

/**
 * Checks a code of an app, and counts a wrong one.
 * @param check - its result, or undefined for a wrong code
 * @throws WrongCode; Problem `rate-limited`
 */
export async function checkCode<Checked>(
  request: FastifyRequest,
  account: string,
  context: CheckContext,
  check: () => Promise<Checked | undefined>,
  options?: FailureOptions,
): Promise<Checked> {
  const release = await context.failedCodes.acquire(account)
  const checked = await check().catch(async (error) => {
    await releaseSoon(release, request.log)
    throw error
  })
  if (checked === undefined) return fail(request, account, context, options)
  await releaseSoon(release, request.log)
  return checked
}

/**
 * Checks the second factor of an account that has one. 120 bits cannot be guessed, so no limit on codes bars a recovery code.
 * @throws WrongCode; Problem `rate-limited`
 */
export async function proveFactor(
  request: FastifyRequest,
  account: string,
  { code = '', recoveryCode }: PresentedFactor,
  context: ProveContext,
): Promise<UseFactor> {
  const { activity, secondFactors } = context

  if (recoveryCode !== undefined) {
    const digest = recoveryCodeDigest(account, recoveryCode)
    if (!(await secondFactors.hasRecoveryCode(account, digest))) return fail(request, account, context)
    return async (transaction) => {
      const { outcome } = await secondFactors.useRecoveryCode(account, digest, transaction)
      if (outcome === 'refused') throw new WrongCode()
      await activity.record(account, 'recovery-code-used', request.client, transaction)
    }
  }

  const { totp, step } = await checkCode(request, account, context, async () => {
    const totp = await secondFactors.findTotp(account)
    const step = totp && stepOf(totp.secret, code)
    return totp && step !== undefined && step > totp.stored.lastStep ? { totp, step } : undefined
  })
  return async (transaction) => {
    const { outcome } = await secondFactors.useCode(account, totp, step, transaction)
    if (outcome === 'refused') throw new WrongCode()
  }
}
