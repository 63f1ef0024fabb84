import { createHmac } from 'node:crypto'
import { addressKey, networkKey } from '../http/client-address.ts'
import { quarterHour } from './headers.ts'
import type { AttemptLimits, Counter } from './sliding-window.ts'

/** How many failed logins there may be in 15 minutes: see docs/api.md. */
export type LoginQuotas = { pair: number; address: number; network: number; account: number; device: number }

/** Who tries to log in: what was given as a name, from where, and the id of the device if the account knows it. */
export type Attempt = { username: string; ip: string; device: string | undefined }

/**
 * Limits failed logins. Names that do not exist count the same. A device that the account knows has a counter of its
 * own and is held up by no other, so that nobody who fails on purpose locks the owner out (OWASP, "Slow Down Online
 * Guessing Attacks with Device Cookies").
 *
 * @param secret - of all processes together: what was typed as a name may have been a password, so only a keyed hash of
 * it is kept.
 */
export function loginLimits(attempts: AttemptLimits, quotas: LoginQuotas, secret: string) {
  const limit = (by: string, quota: number) => ({
    name: `failed-logins-by-${by}`,
    what: 'failed logins',
    quota,
    window: quarterHour,
  })
  const limits = {
    pair: limit('account-and-address', quotas.pair),
    address: limit('address', quotas.address),
    network: limit('network', quotas.network),
    account: limit('account', quotas.account),
    device: limit('device', quotas.device),
  }
  const key = createHmac('sha256', secret).update('names of failed logins').digest()

  const hashed = (username: string) => createHmac('sha256', key).update(username.toLowerCase())
  const nameOf = ({ username }: Attempt) => hashed(username).digest('base64url')
  const pairOf = (attempt: Attempt) => ({ limit: limits.pair, who: `${nameOf(attempt)}:${addressKey(attempt.ip)}` })
  const deviceOf = ({ device }: Attempt) => (device === undefined ? [] : [{ limit: limits.device, who: device }])

  function countersOf(attempt: Attempt): Counter[] {
    if (attempt.device !== undefined) return deviceOf(attempt)
    const name = nameOf(attempt)
    const network = networkKey(attempt.ip)
    return [
      pairOf(attempt),
      { limit: limits.address, who: addressKey(attempt.ip) },
      ...(network === undefined ? [] : [{ limit: limits.network, who: network }]),
      { limit: limits.account, who: name },
    ]
  }

  return {
    /** The id of an account for a name that nobody has: always the same, and nobody's. */
    standIn(username: string): string {
      const digits = hashed(username).digest('hex')
      return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')
    },

    /** @throws Problem `rate-limited` when there is no place, before anything costs us. */
    check: (attempt: Attempt): Promise<void> => attempts.check(countersOf(attempt)),

    /**
     * Takes a place, just before the password is checked.
     * @returns how to give it back.
     * @throws Problem `rate-limited`.
     */
    take: (attempt: Attempt): Promise<() => Promise<void>> => attempts.take(countersOf(attempt)),

    /** After a success: the account begins anew at this address, and with this device. */
    clear: (attempt: Attempt): Promise<void> => attempts.clear([pairOf(attempt), ...deviceOf(attempt)]),
  }
}

export type LoginLimits = ReturnType<typeof loginLimits>
