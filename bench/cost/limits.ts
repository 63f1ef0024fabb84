import { readLimits } from '../../src/limits/config.ts'
import { limitWindowSeconds } from '../../src/limits/headers.ts'
import { unknownPath } from './operations.ts'

/** How often one client can send a request at most, over 15 minutes. @property by - whose limit it is */
export type Rate = { perSecond: number; limit: string; by: 'account' | 'address' }

/**
 * What one address without an account, and one account, may draw in a second: so many plain 401s, of which the pace of requests
 * permits 500. A ratio of CPU times says the same on a fast and on a busy machine; 1,500 are a tenth of a core at 70 µs each.
 */
export const bounds: Readonly<Record<Rate['by'], number>> = { address: 1_500, account: 3_500 }

const production = readLimits({}, true)
const perSecond = (quota: number, limit: string, seconds = 1): Rate => ({
  perSecond: quota / seconds,
  limit,
  by: limit.endsWith('address') ? 'address' : 'account',
})
const inWindow = (quota: number, limit: string) => perSecond(quota, limit, limitWindowSeconds)

const rates = {
  pace: perSecond(production.requestsPerSecond, 'requests of an address'),
  /** See limits/refusal-pace.ts. */
  refusals: perSecond(20, 'refusals of a network or address'),
  addressReads: inWindow(production.readsPerAddress, 'reads of an address'),
  accountReads: inWindow(production.readsPerAccount, 'reads of an account'),
  accountWrites: inWindow(production.writesPerAccount, 'changes of an account'),
  sessionWrites: inWindow(production.writesPerAccount, 'changes of a session'),
  strangers: inWindow(production.readsPerAddress, 'session requests of an address'),
  refreshes: inWindow(production.refreshesPerAccount, 'refreshes of an account'),
  signUps: inWindow(production.signupsPerAddress, 'sign-ups of an address'),
  signUpAttempts: inWindow(10 * production.signupsPerAddress, 'attempted sign-ups of an address'),
  links: inWindow(10 * production.resetsPerAddress, 'attempts with a link of an address'),
  resets: inWindow(production.resetsPerAddress, 'requests for a reset of an address'),
  accountLogins: inWindow(production.loginsPerAccount, 'logins of an account'),
  passkeyFailures: inWindow(production.loginsPerAddress, 'failed passkeys of an address'),
  failedLogins: inWindow(production.failedLogins.address, 'failed logins of an address'),
  exports: perSecond(production.exportsPerAccount, 'exports of an account', 3_600),
} satisfies Record<string, Rate>

/** Those without a session that have limits of their own, by the status of the answer. */
const special: Record<string, (status: number, isOnce: boolean) => Rate | undefined> = {
  // What is malformed is refused before it counts; the costlier ones of both are validated.
  'POST /v1/accounts': (status) =>
    status === 201 ? rates.signUps : [400, 409].includes(status) ? rates.signUpAttempts : undefined,
  'POST /v1/session': (status) =>
    status === 200 ? rates.accountLogins : status === 401 ? rates.failedLogins : undefined,
  'POST /v1/session/passkey': (status) =>
    status === 200 ? rates.accountLogins : status === 401 ? rates.passkeyFailures : undefined,
  'POST /v1/session/second-factor': (status) => (status === 200 ? rates.accountLogins : undefined),
  'POST /v1/session/refresh': (status) => (status === 200 ? rates.refreshes : rates.strangers),
  // Each live session needs a login.
  'DELETE /v1/session': (_, isOnce) => (isOnce ? rates.accountLogins : rates.strangers),
  'POST /v1/password-reset': (status) => (status === 202 ? rates.resets : undefined),
  'POST /v1/password-reset/confirm': () => rates.links,
  'POST /v1/email-verification': () => rates.links,
  'GET /v1/account/export': (status) => (status === 200 ? rates.exports : undefined),
  [unknownPath]: () => rates.pace,
}

/** Of a session, not of an account: see `countsForSession`. */
const bySession = /^(POST|DELETE|PUT) \/v1\/(session\/confirm|sessions|passkeys|devices|second-factor|account)(\/|$)/

/**
 * @property isForeign - whether it names another origin: that is refused before all limits but the pace
 * @property isOnce - whether it serves only once
 */
export type Asked = {
  operation: string
  status: number
  hasSession: boolean
  needsSession: boolean
  isForeign: boolean
  isOnce: boolean
}

/** Which limit bounds a request. A refusal that comes before it is bounded by the pace of all requests. */
export function rateOf({ operation, status, hasSession, needsSession, isForeign, isOnce }: Asked): Rate {
  if ((isForeign && status === 403) || operation.startsWith('GET /health/')) return rates.pace
  if (status === 429) return rates.refusals
  const own = special[operation]?.(status, isOnce)
  if (own) return own
  if (needsSession && (status === 401 || !hasSession)) return rates.pace
  if (operation.startsWith('GET ')) return hasSession ? rates.accountReads : rates.addressReads
  if (!needsSession) return rates.pace
  return bySession.test(operation) ? rates.sessionWrites : rates.accountWrites
}
