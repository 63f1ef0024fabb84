import { addressKey } from '../http/client-address.ts'
import type { FixedWindow } from './fixed-window.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'
import type { Counter } from './sliding-window.ts'

/** @property device - a known one, as its account has it. @property isDeviceOld - known for longer than a window */
type Login = { account: string; ip: string; device: string | undefined; isDeviceOld: boolean }

type Quotas = { loginsPerAccount: number; loginsPerAddress: number }

/**
 * A right password costs a hash, too. A known device does not count for its address, since strangers share that of a NAT; it
 * counts for itself, since a thief of the password, who may have a device from before the second factor, must not bar the owner.
 * The devices that are new count together: each login without a cookie makes one, which must not multiply the quota.
 */
export function successfulLogins(fixedWindow: FixedWindow, { loginsPerAccount, loginsPerAddress }: Quotas) {
  const logins = { description: 'logins', windowSeconds: limitWindowSeconds }
  const perAccount: Limit = { ...logins, name: 'logins', quota: loginsPerAccount }
  const fromNewDevices: Limit = { ...logins, name: 'logins-from-new-devices', quota: loginsPerAccount }
  const perDevice: Limit = { ...logins, name: 'logins-by-device', quota: loginsPerAccount }
  const perAddress: Limit = { ...logins, name: 'logins-by-address', quota: loginsPerAddress }
  function counters({ account, ip, device, isDeviceOld }: Login): [Counter, ...Counter[]] {
    if (device !== undefined && isDeviceOld) return [{ limit: perDevice, subject: device }]
    if (device !== undefined) return [{ limit: fromNewDevices, subject: account }]
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
