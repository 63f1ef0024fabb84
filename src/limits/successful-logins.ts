import { addressKey } from '../http/client-address.ts'
import type { FixedWindow } from './fixed-window.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'

type Quotas = { loginsPerAccount: number; loginsPerAddress: number }

/** The right password costs a hash as a wrong one does: with an account of their own, attackers could log in all day. */
export function successfulLogins(fixedWindow: FixedWindow, { loginsPerAccount, loginsPerAddress }: Quotas) {
  const logins = { description: 'logins', windowSeconds: limitWindowSeconds }
  const perAccount: Limit = { ...logins, name: 'logins', quota: loginsPerAccount }
  const perAddress: Limit = { ...logins, name: 'logins-by-address', quota: loginsPerAddress }
  return {
    /** Before the password is checked. @throws Problem `rate-limited` */
    async check(account: string, ip: string): Promise<void> {
      await Promise.all([fixedWindow.check(perAccount, account), fixedWindow.check(perAddress, addressKey(ip))])
    },

    /** Once the password was right. @returns a function that releases it. @throws Problem `rate-limited` */
    async acquire(account: string, ip: string): Promise<() => Promise<void>> {
      const first = await fixedWindow.acquire(perAccount, account)
      try {
        const second = await fixedWindow.acquire(perAddress, addressKey(ip))
        return async () => void (await Promise.all([first.release(), second.release()]))
      } catch (error) {
        await first.release()
        throw error
      }
    },
  }
}

export type SuccessfulLogins = ReturnType<typeof successfulLogins>
