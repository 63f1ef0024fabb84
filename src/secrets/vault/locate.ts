import { z } from 'zod'
import { StartError } from '../../start-error.ts'
import type { VaultResponse } from './client.ts'

const Mount = z.object({
  path: z.string(),
  type: z.string(),
  options: z.object({ version: z.string().optional() }).nullish(),
})

/**
 * Finds the path in Vault's HTTP API that reads MOUNT/PATH: version 2 of the key-value engine inserts `data/` after the
 * mount. If Vault does not tell where that ends, there are several paths to try.
 */
export async function locate(path: string, get: (path: string) => Promise<VaultResponse>): Promise<string[]> {
  // A URL with dot segments is another path.
  if (/(^|\/)\.\.?(\/|$)/.test(path))
    throw new StartError(`The path ${path} in Vault contains a dot segment: remove it.`)
  const { status, data } = await get(`sys/internal/ui/mounts/${path}`)
  const mount = status === 200 ? Mount.safeParse(data).data : undefined
  const [first = '', ...rest] = path.split('/')
  if (!mount) return [path, [first, 'data', ...rest].join('/')]
  if (mount.type !== 'kv' || mount.options?.version !== '2') return [path]
  const prefix = mountIn(path, mount.path)
  return [`${prefix}/data${path.slice(prefix.length)}`]
}

/** A mount's path can begin with namespaces that the reference does not contain. */
function mountIn(path: string, mountPath: string): string {
  const segments = mountPath.split('/').filter((segment) => segment !== '')
  const suffixes = segments.map((_, index) => segments.slice(index).join('/'))
  return suffixes.find((suffix) => `${path}/`.startsWith(`${suffix}/`)) ?? segments.join('/')
}
