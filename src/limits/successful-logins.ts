import { addressKey } from '../http/client-address.ts'
import type { FixedWindow } from './fixed-window.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'
import type { Counter } from './sliding-window.ts'

type Login = { account: string; ip: string; device: string | undefined }

type Quotas = { loginsPerAccount: number; loginsPerAddress: number }

/** A right password costs a hash, too. A known device counts for its account alone: strangers share the address of a NAT. */
export function successfulLogins(fixedWindow: FixedWindow, { loginsPerAccount, loginsPerAddress }: Quotas) {
  const logins = { description: 'logins', windowSeconds: limitWindowSeconds }
  const perAccount: Limit = { ...logins, name: 'logins', quota: loginsPerAccount }
  const perAddress: Limit = { ...logins, name: 'logins-by-address', quota: loginsPerAddress }
  function counters({ account, ip, device }: Login): [Counter, ...Counter[]] {
    const ofAccount = { limit: perAccount, subject: account }
    return device === undefined ? [ofAccount, { limit: perAddress, subject: addressKey(ip) }] : [ofAccount]
  }
  return {
    /** Before the password is checked. @throws Problem `rate-limited` */
    async check(login: Login): Promise<void> {
      await fixedWindow.check(...counters(login))
    },

    /** Once the password was right. @returns a function that releases it. @throws Problem `rate-limited` */
    acquire: (login: Login): Promise<() => Promise<void>> => fixedWindow.take(...counters(login)),
  }
}

export type SuccessfulLogins = ReturnType<typeof successfulLogins>
