import { addressKey } from '../http/client-address.ts'
import type { FixedWindow } from './fixed-window.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'

type Quotas = { loginsPerAccount: number; loginsPerAddress: number }

/** The right password costs a hash as a wrong one does: with an account of their own, attackers could log in all day. */
export function successfulLogins(fixedWindow: FixedWindow, { loginsPerAccount, loginsPerAddress }: Quotas) {
  const logins = { description: 'logins', windowSeconds: limitWindowSeconds }
  const perAccount: Limit = { ...logins, name: 'logins', quota: loginsPerAccount }
  const perAddress: Limit = { ...logins, name: 'logins-by-address', quota: loginsPerAddress }
  const counters = (account: string, ip: string) =>
    [
      { limit: perAccount, subject: account },
      { limit: perAddress, subject: addressKey(ip) },
    ] as const
  return {
    /** Before the password is checked. @throws Problem `rate-limited` */
    async check(account: string, ip: string): Promise<void> {
      await fixedWindow.check(...counters(account, ip))
    },

    /** Once the password was right. @returns a function that releases it. @throws Problem `rate-limited` */
    async acquire(account: string, ip: string): Promise<() => Promise<void>> {
      return (await fixedWindow.acquire(...counters(account, ip))).release
    },
  }
}

export type SuccessfulLogins = ReturnType<typeof successfulLogins>
