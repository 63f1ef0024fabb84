import { type Attempt, type Claim, type LoginQuotas, loginCounters, nameHash } from './login-counters.ts'
import type { SlidingWindow } from './sliding-window.ts'

/** @property succeed - releases it, and clears what a success clears */
export type AcquiredAttempt = { release(): Promise<void>; succeed(): Promise<void> }

/**
 * A known device has counters of its own alone, so that failing on purpose does not lock the owner out (OWASP, "Slow Down
 * Online Guessing Attacks with Device Cookies"). Failures in a row: NIST SP 800-63B-4, 3.2.2.
 */
export function loginThrottle(attempts: SlidingWindow, quotas: LoginQuotas, secret: string) {
  const { byClientAndName, clearedBySuccess, counted } = loginCounters(quotas, secret)
  const hashed = nameHash(secret)
  return {
    /** The id that an unknown name is looked up by: always the same for that name, and no account's. */
    standInId(username: string): string {
      const digits = hashed(username).digest('hex')
      return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')
    },

    /** Asks no database, for a client without a known device. @throws Problem `rate-limited` */
    recall: (claim: Claim): void => attempts.recall(byClientAndName(claim)),

    check: (attempt: Attempt): Promise<void> => attempts.check(counted(attempt)),

    /** Just before the password is checked. @throws Problem `rate-limited`. */
    async acquire(attempt: Attempt): Promise<AcquiredAttempt> {
      const release = await attempts.acquire(counted(attempt))
      return { release: () => release(), succeed: () => release(clearedBySuccess(attempt)) }
    },

    /** After a success that acquired nothing. */
    clear: (attempt: Attempt): Promise<void> => attempts.clear(clearedBySuccess(attempt)),
  }
}

export type LoginThrottle = ReturnType<typeof loginThrottle>
