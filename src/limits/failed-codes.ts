import { challengeSeconds } from '../sessions/challenges.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'
import { codeCounterNames, rowSeconds } from './login-counters.ts'
import type { SlidingWindow } from './sliding-window.ts'

export type CodeQuotas = { account: number; inARow: number }

const triesOfChallenge = 5

/** Wrong codes of authenticator apps: only a client that knows the password can cause them. */
export function failedCodes(attempts: SlidingWindow, quotas: CodeQuotas) {
  const codes = { description: 'wrong codes', windowSeconds: limitWindowSeconds }
  const perAccount: Limit = { ...codes, name: codeCounterNames.account, quota: quotas.account }
  const row: Limit = {
    ...codes,
    name: codeCounterNames.row,
    quota: quotas.inARow,
    windowSeconds: rowSeconds,
    detail: `After ${quotas.inARow} wrong codes in a row an account takes no code: use a recovery code or a passkey, or ask the operator.`,
  }
  const perChallenge: Limit = {
    name: 'failed-codes-by-challenge',
    description: 'wrong codes for one login',
    quota: triesOfChallenge,
    windowSeconds: challengeSeconds,
    detail: 'Log in with the password again: POST /v1/session.',
  }
  const rowOf = (account: string) => ({ limit: row, subject: account })
  return {
    /** Just before a code is checked. @returns a function that releases it. @throws Problem `rate-limited` */
    acquire: (account: string): Promise<() => Promise<void>> =>
      attempts.acquire([{ limit: perAccount, subject: account }, rowOf(account)]),

    /** The same for the second step of one login, whose tries recovery codes use up, too. */
    acquireTry: (challenge: string): Promise<() => Promise<void>> =>
      attempts.acquire([{ limit: perChallenge, subject: challenge }]),

    /** After a login or a confirmation: the next failure is the first in a row. */
    clearRow: (account: string): Promise<void> => attempts.clear([rowOf(account)]),
  }
}

export type FailedCodes = ReturnType<typeof failedCodes>
