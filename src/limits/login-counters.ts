import { createHmac } from 'node:crypto'
import { addressKey, networkKey } from '../http/client-address.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'
import type { Counter } from './sliding-window.ts'

export type LoginQuotas = {
  pair: number
  accountAndNetwork: number
  address: number
  network: number
  account: number
  device: number
  inARow: number
}

/** Whose password a client claims to know. */
export type Claim = { username: string; ip: string }

export type Attempt = Claim & {
  /** The account's id; of an unknown name, its stand-in id. */
  account: string
  isStandIn?: boolean
  device: string | undefined
}

/** "In whatever time": as long as a device cookie lives. */
export const rowSeconds = 400 * 86_400
/** A stand-in's row protects nothing, and every name that is typed begins one. */
const standInRowSeconds = 7 * 86_400

const names = {
  pair: 'failed-logins-by-account-and-address',
  accountAndNetwork: 'failed-logins-by-account-and-network',
  account: 'failed-logins-by-account',
  device: 'failed-logins-by-device',
  row: 'failed-logins-in-a-row',
  deviceRow: 'failed-logins-in-a-row-by-device',
}

/** Of the codes of authenticator apps: see failed-codes.ts. */
export const codeCounterNames = { account: 'failed-codes-by-account', row: 'failed-codes-in-a-row' }

/** A password may have been typed as the name, so only a keyed hash is stored. @param secret - shared by all processes */
export function nameHash(secret: string) {
  const key = createHmac('sha256', secret).update('names of failed logins').digest()
  return (username: string) => createHmac('sha256', key).update(username.toLowerCase())
}

/** What the counters of one account begin with, whatever the address and device. */
export function accountPrefixes(secret: string, { username, account }: { username: string; account: string }) {
  const name = nameHash(secret)(username).digest('base64url')
  const byName = [names.pair, names.accountAndNetwork, names.account].map((limit) => `${limit}:${name}`)
  const byId = [names.device, names.row, names.deviceRow, codeCounterNames.account, codeCounterNames.row]
  return [...byName, ...byId.map((limit) => `${limit}:${account}`)]
}

export function loginCounters(quotas: LoginQuotas, secret: string) {
  const failures = { description: 'failed logins', windowSeconds: limitWindowSeconds }
  const limit = (name: string, quota: number): Limit => ({ ...failures, name, quota })
  const limits = {
    pair: limit(names.pair, quotas.pair),
    accountAndNetwork: limit(names.accountAndNetwork, quotas.accountAndNetwork),
    address: limit('failed-logins-by-address', quotas.address),
    network: limit('failed-logins-by-network', quotas.network),
    account: limit(names.account, quotas.account),
    device: limit(names.device, quotas.device),
  }
  const inARow = (name: string, detail: string): Limit => ({
    ...limit(name, quotas.inARow),
    windowSeconds: rowSeconds,
    detail: `After ${quotas.inARow} failed logins in a row ${detail}, or ask the operator for a one-time password.`,
  })
  const row = inARow(names.row, 'an account is open to known browsers only: log in from one')
  const deviceRow = inARow(names.deviceRow, 'a known browser is refused: log in from another one')
  const hashed = nameHash(secret)

  const nameOf = ({ username }: Claim) => hashed(username).digest('base64url')
  const pairOf = ({ ip }: Claim, name: string) => ({ limit: limits.pair, subject: `${name}:${addressKey(ip)}` })
  const rowOf = ({ account, isStandIn }: Attempt): Counter => ({
    limit: row,
    subject: account,
    ...(isStandIn && { keepSeconds: standInRowSeconds }),
  })
  const ofDevice = (subject: string): [Counter, Counter] => [
    { limit: limits.device, subject },
    { limit: deviceRow, subject },
  ]

  /** Those that are known before the account is. */
  function byClientAndName(attempt: Claim): [Counter, ...Counter[]] {
    const name = nameOf(attempt)
    const network = networkKey(attempt.ip)
    return [
      pairOf(attempt, name),
      { limit: limits.accountAndNetwork, subject: `${name}:${network}` },
      { limit: limits.address, subject: addressKey(attempt.ip) },
      { limit: limits.network, subject: network },
      { limit: limits.account, subject: name },
    ]
  }

  return {
    byClientAndName,

    counted: (attempt: Attempt): [Counter, ...Counter[]] =>
      attempt.device === undefined ? [...byClientAndName(attempt), rowOf(attempt)] : ofDevice(attempt.device),

    /** Of the account at this address, of the device, and of failures in a row. */
    clearedBySuccess: (attempt: Attempt): Counter[] => [
      pairOf(attempt, nameOf(attempt)),
      rowOf(attempt),
      ...(attempt.device === undefined ? [] : ofDevice(attempt.device)),
    ],
  }
}
