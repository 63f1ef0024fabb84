import { StartError } from '../../start-error.ts'
import type { VaultClient, VaultData, VaultResponse } from './client.ts'
import { keepRenewed, type Lifetime, type Renewal } from './renewal.ts'

export type Leases = {
  /** @returns undefined once new credentials are due */
  find(path: string): VaultData | undefined
  /** Remembers the lease in a response, instead of the path's previous one, which then expires by itself. */
  replace(path: string, response: VaultResponse): void
  /** Makes new credentials due for every path: Vault revokes leases with the token that obtained them. */
  endAll(): void
  close(): void
}

type Lease = { data: VaultData; isDue: boolean; renewal: Renewal }

/** Keeps and renews the leases of dynamic credentials, by path, because the fields of a secret belong together. */
export function leaseStore(client: VaultClient, getToken: () => Promise<string>, onDue: () => void): Leases {
  const leases = new Map<string, Lease>()
  let closed = false

  function remember(path: string, data: VaultData, id: string, lifetime: Lifetime): void {
    const onEnding = () => {
      lease.isDue = true
      onDue()
    }
    const renewal = keepRenewed(lifetime, () => renew(id, lifetime.ttlSeconds), onEnding)
    const lease: Lease = { data, isDue: false, renewal }
    leases.set(path, lease)
  }

  async function renew(id: string, ttlSeconds: number): Promise<Lifetime> {
    const body = { lease_id: id, increment: ttlSeconds }
    const { status, ...renewed } = await client.post('sys/leases/renew', { token: await getToken(), body })
    if (status !== 200) throw new StartError(`${client.name} does not renew a lease.`)
    return { ttlSeconds: renewed.lease_duration ?? 0, renewable: renewed.renewable ?? false }
  }

  function close(): void {
    closed = true
    for (const { renewal } of leases.values()) renewal.stop()
  }

  return {
    find(path) {
      const lease = leases.get(path)
      return lease?.isDue === false ? lease.data : undefined
    },
    replace(path, { data, lease_id: id, lease_duration: ttlSeconds, renewable }) {
      leases.get(path)?.renewal.stop()
      leases.delete(path)
      // The key-value engine gives a duration without a lease.
      if (data && id && ttlSeconds && !closed) remember(path, data, id, { ttlSeconds, renewable: renewable ?? false })
    },
    endAll() {
      for (const { renewal } of leases.values()) renewal.end()
    },
    close,
  }
}
