import { z } from 'zod'
import { StartError } from '../../start-error.ts'
import type { VaultClient, VaultResponse } from './client.ts'
import type { Lifetime } from './renewal.ts'
import type { LogInMethod } from './settings.ts'

export type Token = Lifetime & { text: string }

const TokenProperties = z.object({ ttl: z.number(), renewable: z.boolean().default(false) })

/** @throws StartError if Vault refuses the login, or if a file cannot be read */
export async function logIn(client: VaultClient, method: LogInMethod): Promise<Token> {
  if (method.kind === 'token') return describeToken(client, await method.token.read())
  const { mount } = method
  if (method.kind === 'approle') {
    const body = { role_id: method.roleId, secret_id: await method.secretId.read() }
    return acceptLogin(await client.post(`auth/${mount}/login`, { body }), () => {
      const checks = `check VAULT_ROLE_ID, VAULT_APPROLE_MOUNT, and that the secret ID in ${method.secretId.variable} is valid`
      return `${client.name} refuses the AppRole login at auth/${mount}: ${checks}.`
    })
  }
  const body = { role: method.role, jwt: await method.serviceAccount.read() }
  return acceptLogin(await client.post(`auth/${mount}/login`, { body }), () => {
    const checks = 'check VAULT_KUBERNETES_ROLE, VAULT_KUBERNETES_MOUNT, and the service account that the role permits'
    return `${client.name} refuses the Kubernetes login at auth/${mount}: ${checks}.`
  })
}

/** A token that must not look itself up might still be valid: it is used without renewal. */
async function describeToken(client: VaultClient, text: string): Promise<Token> {
  const { data } = await client.get('auth/token/lookup-self', { token: text })
  const { ttl, renewable } = TokenProperties.safeParse(data).data ?? { ttl: 0, renewable: false }
  return { text, ttlSeconds: ttl, renewable }
}

function acceptLogin({ auth }: VaultResponse, refusal: () => string): Token {
  if (!auth) throw new StartError(refusal())
  return { text: auth.client_token, ttlSeconds: auth.lease_duration, renewable: auth.renewable }
}
