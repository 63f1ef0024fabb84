import { createHmac } from 'node:crypto'
import { Problem } from '../http/problems.ts'
import type { Limit } from '../limits/headers.ts'
import type { SlidingWindow } from '../limits/sliding-window.ts'
import { mailboxOf } from './address.ts'

const isRateLimited = (error: unknown) => error instanceof Problem && error.code === 'rate-limited'

/**
 * Limits the mails to addresses that are not verified: those of an account, and those to an address, from all accounts. The
 * second only sends no mail: a refusal would show that others have entered the address.
 * @param secret - shared by all processes; the database holds no address of these counters
 */
export function verificationLimits(slidingWindow: Pick<SlidingWindow, 'acquire'>, quota: number, secret: string) {
  const limit = (name: string): Limit => ({
    name,
    description: 'links to verify an address',
    quota,
    windowSeconds: 3_600,
  })
  const perAccount = limit('verifications')
  const perEmail = limit('verifications-by-email')
  const key = createHmac('sha256', secret).update('e-mail addresses in limits').digest()
  const hashOf = (address: string) => createHmac('sha256', key).update(mailboxOf(address)).digest('base64url')
  return {
    /** @throws Problem `rate-limited` over the limit of the account */
    async acquire(account: string, address: string): Promise<{ isSent: boolean; release: () => Promise<void> }> {
      const releaseAccount = await slidingWindow.acquire([{ limit: perAccount, subject: account }])
      const releaseEmail = await slidingWindow
        .acquire([{ limit: perEmail, subject: hashOf(address) }])
        .catch(async (error) => {
          if (isRateLimited(error)) return undefined
          await releaseAccount().catch(() => undefined)
          throw error
        })
      return {
        isSent: releaseEmail !== undefined,
        release: async () => void (await Promise.all([releaseAccount(), releaseEmail?.()])),
      }
    },
  }
}

export type VerificationLimits = ReturnType<typeof verificationLimits>
