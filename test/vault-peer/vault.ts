import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { z } from 'zod'
import { buildVaultPeer } from './build.ts'

const Ready = z.object({ url: z.string(), root_token: z.string(), unseal_key: z.string() })

const Reply = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  auth: z.object({ client_token: z.string(), accessor: z.string() }).nullish(),
})

type TokenOptions = { ttl?: string; explicit_max_ttl?: string; renewable?: boolean; no_default_policy?: boolean }

/**
 * A real Vault server with its data in memory, which ends with the test. Its core is version 1.3.10: no token at all gets
 * 400 where later versions answer 403, and tokens begin with `s.` instead of `hvs.`.
 */
export async function startVault(t: Test) {
  const child = spawn(await buildVaultPeer(), ['-listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'close')
  })
  const [line] = await once(createInterface(child.stdout), 'line')
  const { url, root_token: rootToken, unseal_key: unsealKey } = Ready.parse(JSON.parse(line))

  /** @throws Error on a status other than 2xx */
  async function api(method: string, path: string, body?: object, token = rootToken) {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return Reply.parse(JSON.parse(text || '{}'))
  }

  const dataOf = async (method: string, path: string, name: string, body?: object) =>
    String((await api(method, path, body)).data?.[name])

  return {
    url,
    rootToken,
    unsealKey,
    api,
    seal: () => api('PUT', 'sys/seal', {}),
    unseal: () => api('PUT', 'sys/unseal', { key: unsealKey }),
    mountKeyValue: (path: string, version: '1' | '2') =>
      api('POST', `sys/mounts/${path}`, { type: 'kv', options: { version } }),
    /** A policy that permits to read these paths of the API. */
    allowReading: (policy: string, ...paths: string[]) =>
      api('PUT', `sys/policies/acl/${policy}`, {
        policy: paths.map((path) => `path "${path}" { capabilities = ["read"] }`).join('\n'),
      }),
    async issueToken(policy: string, options: TokenOptions = {}): Promise<string> {
      const { auth } = await api('POST', 'auth/token/create', { policies: [policy], ...options })
      return String(auth?.client_token)
    },
    /** A role of the AppRole method, which is mounted on demand, and a secret ID for it. */
    async createAppRole(role: string, options: object, mount = 'approle') {
      await api('POST', `sys/auth/${mount}`, { type: 'approle' }).catch(() => undefined)
      await api('POST', `auth/${mount}/role/${role}`, options)
      const roleId = await dataOf('GET', `auth/${mount}/role/${role}/role-id`, 'role_id')
      const secretId = await dataOf('POST', `auth/${mount}/role/${role}/secret-id`, 'secret_id', {})
      return { roleId, secretId }
    },
  }
}

export type VaultPeer = Awaited<ReturnType<typeof startVault>>
