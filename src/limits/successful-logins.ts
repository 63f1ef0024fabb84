import { addressKey } from '../http/client-address.ts'
import type { FixedWindow } from './fixed-window.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'
import type { Counter } from './sliding-window.ts'

/** @property device - one that is known for longer than a window, as its account has it */
type Login = { account: string; ip: string; device: string | undefined }

type Quotas = { loginsPerAccount: number; loginsPerAddress: number }

/**
 * A right password costs a hash, too. A known device counts for itself alone, since strangers share the address of a NAT, and a
 * thief of the password, who may have a device from before the second factor, must not bar the owner.
 */
export function successfulLogins(fixedWindow: FixedWindow, { loginsPerAccount, loginsPerAddress }: Quotas) {
  const logins = { description: 'logins', windowSeconds: limitWindowSeconds }
  const perAccount: Limit = { ...logins, name: 'logins', quota: loginsPerAccount }
  const perDevice: Limit = { ...logins, name: 'logins-by-device', quota: loginsPerAccount }
  const perAddress: Limit = { ...logins, name: 'logins-by-address', quota: loginsPerAddress }
  function counters({ account, ip, device }: Login): [Counter, ...Counter[]] {
    if (device !== undefined) return [{ limit: perDevice, subject: device }]
    return [
      { limit: perAccount, subject: account },
      { limit: perAddress, subject: addressKey(ip) },
    ]
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
