import type { Reply } from './recorded-vault.ts'

// Each names the page of Vault's documentation that it follows.
export const docs = 'https://developer.hashicorp.com/vault/api-docs'

export const VAULT_TOKEN = 'hvs.recorded'

/** `${docs}/system/internal-ui-mounts` */
export const mount = (path: string, type: string, version?: string): Reply => ({
  body: { data: { path, type, ...(version && { options: { version } }) } },
})

/** `${docs}/auth/token#lookup-a-token-self`: a token that does not expire. */
export const lookUpSelf: Reply = { body: { data: { ttl: 0, renewable: false } } }

/** `${docs}/auth/approle#login-with-approle` and `${docs}/auth/token#renew-a-token-self` */
export const auth = (token: string, ttlSeconds: number): Reply => ({
  body: { auth: { client_token: token, accessor: 'f8b576f9', lease_duration: ttlSeconds, renewable: true } },
})

export const database = {
  'GET auth/token/lookup-self': lookUpSelf,
  'GET sys/internal/ui/mounts/database/creds/my-role': mount('database/', 'database'),
}

export const creds = 'GET database/creds/my-role'

/** `${docs}/secret/databases#generate-credentials`, which leaves out the lease that every such response has. */
export const credentials = (user: string, ttlSeconds: number, renewable = true): Reply => ({
  body: {
    lease_id: `database/creds/my-role/${user}`,
    lease_duration: ttlSeconds,
    renewable,
    data: { username: user, password: `132ae3ef-${user}` },
  },
})

export const renew = 'POST sys/leases/renew'

/** `${docs}/system/leases#renew-lease` */
export const renewed = (ttlSeconds: number): Reply => ({
  body: { lease_id: 'database/creds/my-role/a', renewable: true, lease_duration: ttlSeconds },
})
