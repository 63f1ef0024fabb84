import { z } from 'zod'
import type { Environment } from '../environment/environment.ts'
import { StartError } from '../start-error.ts'
import type { SecretManager } from './manager.ts'
import type { Reference } from './reference.ts'
import { type VaultData, type VaultResponse, vaultClient } from './vault/client.ts'
import { leaseStore } from './vault/leases.ts'
import { locate } from './vault/locate.ts'
import { secretText } from './vault/secret-text.ts'
import { readVaultSettings } from './vault/settings.ts'
import { tokenSource } from './vault/token.ts'

/** What version 2 of the key-value engine puts around a secret. `data` is null if the secret was deleted. */
const Versioned = z.object({ data: z.record(z.string(), z.unknown()).nullable() })

type Options = {
  root: string
  /** Called when dynamic credentials will expire, and every 10 s until the next read, which obtains new ones. */
  onLeaseDue: () => void
}

/**
 * Reads secrets with GET: the key-value engine's, and dynamic ones of others such as the database engine, with leases.
 * @throws StartError if the variables do not name a server and one way to log in
 */
export function vaultManager(env: Environment, { root, onLeaseDue }: Options): SecretManager {
  const { method, ...server } = readVaultSettings(env, root)
  const client = vaultClient(server)
  const tokens = tokenSource(client, method, () => leases.endAll())
  const leases = leaseStore(client, tokens.get, onLeaseDue)
  const pending = new Map<string, Promise<VaultData>>()

  async function get(path: string): Promise<VaultResponse> {
    const token = await tokens.get()
    const response = await client.get(path, { token })
    if (response.status !== 403) return response
    const other = await tokens.replace(token)
    return other === undefined ? response : client.get(path, { token: other })
  }

  async function fetchData(path: string): Promise<VaultData> {
    const paths = await locate(path, get)
    const statuses: number[] = []
    for (const apiPath of paths) {
      const response = await get(apiPath)
      const data = apiPath === path ? response.data : Versioned.safeParse(response.data).data?.data
      if (response.status === 200 && data) {
        leases.replace(path, response)
        return data
      }
      statuses.push(response.status)
    }
    throw readFault(client.name, paths, statuses)
  }

  /** Concurrent reads of a path share one request, so that they get credentials of the same lease. */
  function share(path: string): Promise<VaultData> {
    const joined = pending.get(path)
    if (joined) return joined
    const promise = fetchData(path).finally(() => pending.delete(path))
    pending.set(path, promise)
    return promise
  }

  return {
    async read(reference: Reference, { fresh = false } = {}) {
      const remembered = leases.find(reference.path, fresh)
      return secretText(remembered ?? (await share(reference.path)), reference)
    },
    close() {
      tokens.close()
      leases.close()
    },
  }
}

function readFault(name: string, paths: readonly string[], statuses: readonly number[]): StartError {
  const all = paths.join(' and ')
  const isDoubled = paths.some((path) => path.includes('/data/data/'))
  if (isDoubled) return new StartError(`${name} cannot read ${all}: write the reference without data/.`)
  if (statuses.includes(403))
    return new StartError(`${name} denies access to ${all}: the policy of its token needs the capability "read" there.`)
  if (statuses.includes(404))
    return new StartError(`${name} has no secret at ${all}: check the path, and whether the secret was deleted.`)
  return new StartError(`${name} answers ${statuses.join(' and ')} for ${all}: check the path.`)
}
