import * as schemas from '../api-schemas.ts'
import type { Answer, CallResult } from '../call.ts'
import type { Observation } from '../history/operation.ts'
import { lists, registers } from '../history/registers.ts'
import { type AuthenticatorApp, recoveryCodeCount } from './authenticator-app.ts'

const required = 'second-factor-required'

/** Whether the password was right, and a second step has to follow. */
export const isFactorRequired = ({ cause }: Pick<CallResult, 'cause'>): boolean => cause === `401 ${required}`

/** What a login with the password alone says. @property isTrusted - the device may log in without the factor */
export function observePassword(
  { username, app, isTrusted }: { username: string; app: AuthenticatorApp | null; isTrusted: boolean },
  { status, body }: Pick<Answer, 'status' | 'body'>,
): Observation[] {
  const isRequired = status === 401 && schemas.problem.safeParse(body).data?.code === required
  if (!isRequired && status !== 200) return []
  const seen = isRequired ? `401 ${required}` : '200'
  if (isTrusted) {
    const object = `the password on a trusted device of ${username}`
    return [{ claim: 'R', object, expected: '200', seen, holds: !isRequired }]
  }
  if (app?.state !== 'on') return [{ register: registers.secondFactor(username), value: isRequired }]
  const object = `the password alone of ${username}`
  return [{ claim: 'N', object, expected: `401 ${required}`, seen, holds: isRequired }]
}

/** What the account's view of its second factor says. */
export function observeSecondFactor(
  username: string,
  { totp, recoveryCodesLeft }: schemas.SecondFactor,
): Observation[] {
  const left = recoveryCodesLeft
  const numbers = left === 0 || left === recoveryCodeCount ? Array.from({ length: recoveryCodeCount }).keys() : []
  return [
    { register: registers.secondFactor(username), value: totp !== null },
    { count: lists.recoveryCodes(username), value: left },
    // All or none: then it is known of each, also of those whose enrolment had no answer.
    ...[...numbers].map((number) => ({ register: registers.recoveryCode(username, number), value: left > 0 })),
  ]
}
