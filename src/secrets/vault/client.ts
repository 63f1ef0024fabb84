import { z } from 'zod'
import { StartError } from '../../start-error.ts'
import type { VaultSettings } from './settings.ts'

const timeoutMs = 5_000

const Body = z.object({
  lease_id: z.string().nullish(),
  lease_duration: z.number().nullish(),
  renewable: z.boolean().nullish(),
  data: z.record(z.string(), z.unknown()).nullish(),
  auth: z.object({ client_token: z.string(), lease_duration: z.number(), renewable: z.boolean() }).nullish(),
})

export type VaultData = Readonly<Record<string, unknown>>

/** A response below 500. Nothing of it may get into an error. */
export type VaultResponse = z.infer<typeof Body> & { status: number }

type Request = { token?: string; body?: object }

export type VaultClient = {
  name: string
  get(path: string, request?: Request): Promise<VaultResponse>
  post(path: string, request?: Request): Promise<VaultResponse>
}

/** Its methods throw a StartError if Vault does not respond within 5 s, is sealed or fails, or if it is not Vault. */
export function vaultClient({ address, namespace }: Pick<VaultSettings, 'address' | 'namespace'>): VaultClient {
  const name = `Vault at ${address.origin}`

  async function request(method: string, path: string, { token, body }: Request = {}): Promise<VaultResponse> {
    const headers = {
      'x-vault-request': 'true',
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      ...(token !== undefined && { 'x-vault-token': token }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const url = urlOf(path)
    const first = await send(url, init)
    const { status, text } = first.status === 307 ? await send(activeNode(first.location, url), init) : first
    if (status >= 300 && status < 400) throw redirectFault()
    if (status === 503 && text.includes('Vault is sealed'))
      throw new StartError(`${name} is sealed: unseal it.`, 'out-of-reach')
    if (status === 429) throw new StartError(`${name} limits our requests: raise its rate limit quota.`, 'out-of-reach')
    if (status >= 500) throw new StartError(`${name} fails with status ${status}: see its log.`, 'out-of-reach')
    return { ...parse(status, text), status }
  }

  function urlOf(path: string): URL {
    const segments = path.split('/').filter((segment) => segment !== '')
    const url = new URL(address)
    url.pathname = `${address.pathname.replace(/\/+$/, '')}/v1/${segments.map(encodeURIComponent).join('/')}`
    return url
  }

  async function send(url: URL, init: RequestInit) {
    try {
      const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
      return { status: response.status, location: response.headers.get('location'), text: await response.text() }
    } catch (error) {
      throw connectionFault(name, error)
    }
  }

  /** A standby node redirects to the active one. The token must not leave TLS on the way. */
  function activeNode(location: string | null, from: URL): URL {
    const target = location !== null && URL.canParse(location, from.href) ? new URL(location, from.href) : undefined
    if (target?.protocol !== from.protocol || target.username || target.password) throw redirectFault()
    return target
  }

  function redirectFault(): StartError {
    return new StartError(`${name} redirects to another address: set VAULT_ADDR to the address of the active node.`)
  }

  function parse(status: number, text: string): z.infer<typeof Body> {
    if (text === '') return {}
    try {
      return Body.parse(JSON.parse(text))
    } catch {
      // The error of JSON.parse quotes the text.
      if (status >= 400) return {}
      throw new StartError(`${name} does not answer as Vault does: check VAULT_ADDR.`)
    }
  }

  return {
    name,
    get: (path, options) => request('GET', path, options),
    post: (path, options) => request('POST', path, options),
  }
}

function connectionFault(name: string, error: unknown): StartError {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new StartError(`${name} does not respond within ${timeoutMs / 1_000} s: check VAULT_ADDR.`, 'out-of-reach')
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
  const code = cause !== undefined && 'code' in cause ? String(cause.code) : 'no connection'
  if (code === 'CERT_HAS_EXPIRED') return new StartError(`The TLS certificate of ${name} has expired: renew it.`)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new StartError(`The TLS certificate of ${name} is for another host: check VAULT_ADDR.`)
  if (/CERT|UNABLE_TO_VERIFY/.test(code))
    return new StartError(
      `The TLS certificate of ${name} is not trusted (${code}): name the file of its certificate authority in NODE_EXTRA_CA_CERTS.`,
    )
  if (/^(EPROTO|ERR_SSL)/.test(code)) return new StartError(`${name} does not use TLS (${code}): check VAULT_ADDR.`)
  return new StartError(`${name} does not respond (${code}): check VAULT_ADDR and that Vault runs.`, 'out-of-reach')
}
