import { addressKey, networkKey } from '../http/client-address.ts'
import { limitWindowSeconds } from './headers.ts'
import { recentMap } from './recent-map.ts'
import { type Bucket, tokenBuckets } from './token-bucket.ts'

export const networkFactor = 4

export type ClientKeys = { address: string; network: string }

const known = recentMap<ClientKeys>(10_000)

/** The address or /64, and the /24 or /48. Remembered: to parse an IPv6 address costs as much as to count it. */
export function clientKeys(ip: string): ClientKeys {
  const found = known.get(ip)
  if (found) return found
  const address = addressKey(ip)
  const keys = { address, network: networkKey(ip) }
  known.set(ip, keys)
  return keys
}

type Quota = { name: string; description: string; perAddress: number }

/** Token buckets of clients without an account: one for each address, and one for each network. */
export function clientBuckets({ name, description, perAddress }: Quota) {
  const limit = (by: string, quota: number) =>
    tokenBuckets({ name: `${name}-by-${by}`, description, quota, windowSeconds: limitWindowSeconds })
  const addresses = limit('address', perAddress)
  const networks = limit('network', perAddress * networkFactor)
  return {
    headersOf: addresses.headersOf,

    /** Takes nothing. @throws Problem `rate-limited` */
    check(ip: string): void {
      const { address, network } = clientKeys(ip)
      addresses.check(address)
      networks.check(network)
    },

    /** @returns the address's bucket. @throws Problem `rate-limited` */
    consume(ip: string): Bucket {
      const { address, network } = clientKeys(ip)
      // The address first: one over its limit must not use up the quota of its network.
      const bucket = addresses.consume(address)
      networks.consume(network)
      return bucket
    },

    /** Takes a token for a request that has been answered: too late to refuse it. */
    settle(ip: string): void {
      const { address, network } = clientKeys(ip)
      addresses.settle(address)
      networks.settle(network)
    },

    release(ip: string): void {
      const { address, network } = clientKeys(ip)
      addresses.release(address)
      networks.release(network)
    },
  }
}
