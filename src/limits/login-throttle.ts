import { createHmac } from 'node:crypto'
import { addressKey, networkKey } from '../http/client-address.ts'
import { limitWindowSeconds } from './headers.ts'
import type { Counter, SlidingWindow } from './sliding-window.ts'

export type LoginQuotas = { pair: number; address: number; network: number; account: number; device: number }

export type Attempt = { username: string; ip: string; device: string | undefined }

/** Of a name in the counters of failed logins. */
export function nameHash(secret: string) {
  const key = createHmac('sha256', secret).update('names of failed logins').digest()
  return (username: string) => createHmac('sha256', key).update(username.toLowerCase())
}

/**
 * A known device has a counter of its own and ignores all others, so that failing on purpose does not lock the owner out
 * (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
 * @param secret - shared by all processes; a password may have been typed as the name, so only a keyed hash is stored
 */
export function loginThrottle(attempts: SlidingWindow, quotas: LoginQuotas, secret: string) {
  const limit = (by: string, quota: number) => ({
    name: `failed-logins-by-${by}`,
    description: 'failed logins',
    quota,
    windowSeconds: limitWindowSeconds,
  })
  const limits = {
    pair: limit('account-and-address', quotas.pair),
    address: limit('address', quotas.address),
    network: limit('network', quotas.network),
    account: limit('account', quotas.account),
    device: limit('device', quotas.device),
  }
  const hashed = nameHash(secret)
  const nameOf = ({ username }: Attempt) => hashed(username).digest('base64url')
  const pairOf = (attempt: Attempt) => ({ limit: limits.pair, subject: `${nameOf(attempt)}:${addressKey(attempt.ip)}` })
  const deviceOf = ({ device }: Attempt) => (device === undefined ? [] : [{ limit: limits.device, subject: device }])

  function countersOf(attempt: Attempt): Counter[] {
    if (attempt.device !== undefined) return deviceOf(attempt)
    const name = nameOf(attempt)
    const network = networkKey(attempt.ip)
    return [
      pairOf(attempt),
      { limit: limits.address, subject: addressKey(attempt.ip) },
      ...(network === undefined ? [] : [{ limit: limits.network, subject: network }]),
      { limit: limits.account, subject: name },
    ]
  }

  return {
    /** The id that an unknown name is looked up by: always the same for that name, and no account's. */
    standInId(username: string): string {
      const digits = hashed(username).digest('hex')
      return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')
    },

    check: (attempt: Attempt): Promise<void> => attempts.check(countersOf(attempt)),

    /** Just before the password is checked. @returns a function that releases it. @throws Problem `rate-limited`. */
    acquire: (attempt: Attempt): Promise<() => Promise<void>> => attempts.acquire(countersOf(attempt)),

    /** After a success: resets the counters of the account at this address, and of the device. */
    clear: (attempt: Attempt): Promise<void> => attempts.clear([pairOf(attempt), ...deviceOf(attempt)]),
  }
}

export type LoginThrottle = ReturnType<typeof loginThrottle>
