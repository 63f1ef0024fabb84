import { StartError } from '../../start-error.ts'
import type { VaultClient, VaultData, VaultResponse } from './client.ts'
import { keepRenewed, type Lifetime, type Renewal } from './renewal.ts'

export type Leases = {
  /** @returns undefined once new credentials are due, or at the earliest permitted time if `fresh` ones are requested */
  find(path: string, fresh: boolean): VaultData | undefined
  /** Remembers the lease in a response, instead of the path's previous one, which then expires by itself. */
  replace(path: string, response: VaultResponse): void
  /** Makes new credentials due for every path: Vault revokes leases with the token that obtained them. */
  endAll(): void
  close(): void
}

type Lease = { data: VaultData; isDue: boolean; renewal: Renewal; obtainedAt: number; patienceMs: number }

/**
 * How long credentials must serve although MongoDB refuses them. Others would not help if their role lacks a privilege, and
 * each is a database user that exists until its lease ends.
 */
const patienceMsMin = 10_000
const patienceMsMax = 600_000

/** Doubles with each lease that was replaced before it was due, and begins again after one that was in use for long. */
function patienceAfter(previous: Lease | undefined): number {
  if (previous === undefined || previous.isDue) return 0
  const wasUseful = performance.now() - previous.obtainedAt > 2 * patienceMsMax
  return wasUseful ? patienceMsMin : Math.min(patienceMsMax, Math.max(patienceMsMin, 2 * previous.patienceMs))
}

/** Keeps and renews the leases of dynamic credentials, by path, because the fields of a secret belong together. */
export function leaseStore(client: VaultClient, getToken: () => Promise<string>, onDue: () => void): Leases {
  const leases = new Map<string, Lease>()
  let closed = false

  function remember(path: string, data: VaultData, id: string, lifetime: Lifetime): void {
    const patienceMs = patienceAfter(leases.get(path))
    const onEnding = () => {
      lease.isDue = true
      onDue()
    }
    const renewal = keepRenewed(lifetime, () => renew(id, lifetime.ttlSeconds), onEnding)
    const lease: Lease = { data, isDue: false, renewal, obtainedAt: performance.now(), patienceMs }
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
    find(path, fresh) {
      const lease = leases.get(path)
      if (lease === undefined || lease.isDue) return undefined
      const isReplaceable = performance.now() - lease.obtainedAt >= lease.patienceMs
      return fresh && isReplaceable ? undefined : lease.data
    },
    replace(path, { data, lease_id: id, lease_duration: ttlSeconds, renewable }) {
      leases.get(path)?.renewal.stop()
      // The key-value engine gives a duration without a lease.
      if (data && id && ttlSeconds && !closed) remember(path, data, id, { ttlSeconds, renewable: renewable ?? false })
      else leases.delete(path)
    },
    endAll() {
      for (const { renewal } of leases.values()) renewal.end()
    },
    close,
  }
}
