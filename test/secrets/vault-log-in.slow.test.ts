import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventually } from '../eventually.ts'
import { startVault, type VaultPeer } from '../vault-peer/vault.ts'
import { connectVault } from './connect-vault.ts'

const secret = 'secret/rookery#key'

async function startVaultWithSecret(t: Test) {
  const vault = await startVault(t)
  await vault.mountKeyValue('secret', '2')
  await vault.api('POST', 'secret/data/rookery', { data: { key: 'hunter2' } })
  await vault.allowReading('rookery', 'secret/data/rookery')
  return vault
}

/** How many tokens a role has issued that are still valid. */
async function countTokens(vault: VaultPeer, path: string): Promise<number> {
  const { data } = await vault.api('LIST', 'auth/token/accessors')
  const accessors = data?.keys
  if (!Array.isArray(accessors)) throw new Error('no accessors')
  const tokens = await Promise.all(
    accessors.map((accessor) => vault.api('POST', 'auth/token/lookup-accessor', { accessor }).catch(() => undefined)),
  )
  return tokens.filter((token) => token?.data?.path === path).length
}

const expired = (vault: VaultPeer, variable: string) => ({
  message: `Vault at ${vault.url} refuses the token in ${variable}: it has expired or was revoked; issue another.`,
  fault: 'configuration',
})

t.test('a fixed token is renewed before it expires, and its end is told apart from a denial', async (t) => {
  const vault = await startVaultWithSecret(t)
  const VAULT_TOKEN = await vault.issueToken('rookery', { ttl: '9s' })
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN })
  t.equal(await read(secret), 'hunter2')
  const lookUp = () => vault.api('POST', 'auth/token/lookup', { token: VAULT_TOKEN })
  await eventually(async () => Number((await lookUp()).data?.last_renewal_time) > 0)
  t.equal(await read(secret), 'hunter2')
  await vault.api('POST', 'auth/token/revoke', { token: VAULT_TOKEN })
  await t.rejects(read(secret), expired(vault, 'VAULT_TOKEN'))
})

t.test('a fixed token that must not look itself up is used as it is', async (t) => {
  const vault = await startVaultWithSecret(t)
  const VAULT_TOKEN = await vault.issueToken('rookery', { no_default_policy: true })
  t.equal(await connectVault(t, vault.url, { VAULT_TOKEN }).read(secret), 'hunter2')
})

t.test('a token file is read again when its token is refused', async (t) => {
  const vault = await startVaultWithSecret(t)
  const root = t.testdir({ token: 's.expired' })
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN_FILE: 'token' }, root)
  await t.rejects(read(secret), expired(vault, 'VAULT_TOKEN_FILE'))
  const token = await vault.issueToken('rookery')
  await writeFile(join(root, 'token'), `${token}\n`)
  t.equal(await read(secret), 'hunter2')
  await vault.api('POST', 'auth/token/revoke', { token })
  await writeFile(join(root, 'token'), await vault.issueToken('rookery'))
  t.equal(await read(secret), 'hunter2')
})

t.test('a token file that is missing or not a token is reported without its content', async (t) => {
  const vault = await startVaultWithSecret(t)
  const root = t.testdir({ empty: '\n', json: '{"token": "s.hunter2"}' })
  const read = (VAULT_TOKEN_FILE: string) => connectVault(t, vault.url, { VAULT_TOKEN_FILE }, root).read(secret)
  await t.rejects(read('none'), {
    message: 'VAULT_TOKEN_FILE names a file that cannot be read: check its path and permissions.',
    fault: 'configuration',
  })
  for (const file of ['empty', 'json'])
    await t.rejects(read(file), { message: 'VAULT_TOKEN_FILE names a file that contains no single token.' }, file)
})

t.test('50 concurrent first reads through AppRole share one login', async (t) => {
  const vault = await startVaultWithSecret(t)
  const { roleId: VAULT_ROLE_ID, secretId: VAULT_SECRET_ID } = await vault.createAppRole('rookery', {
    token_policies: 'rookery',
  })
  const { read } = connectVault(t, vault.url, { VAULT_ROLE_ID, VAULT_SECRET_ID })
  const all = await Promise.all(Array.from({ length: 50 }, (_, index) => read(index % 2 ? secret : 'secret/rookery')))
  t.same(new Set(all), new Set(['hunter2', '{"key":"hunter2"}']))
  t.equal(await countTokens(vault, 'auth/approle/login'), 1)
})

t.test('AppRole: a token is renewed up to its maximum TTL, then replaced by a login', async (t) => {
  const vault = await startVaultWithSecret(t)
  const root = t.testdir({})
  const options = { token_policies: 'rookery', token_ttl: '3s', token_max_ttl: '7s' }
  const { roleId: VAULT_ROLE_ID, secretId } = await vault.createAppRole('rookery', options, 'team/approle')
  await writeFile(join(root, 'secret-id'), `${secretId}\n`)
  const env = { VAULT_ROLE_ID, VAULT_SECRET_ID_FILE: 'secret-id', VAULT_APPROLE_MOUNT: 'team/approle' }
  const { read, close } = connectVault(t, vault.url, env, root)
  for (const end = performance.now() + 12_000; performance.now() < end; await sleep(500))
    t.equal(await read(secret), 'hunter2')
  close()
  await eventually(async () => (await countTokens(vault, 'auth/team/approle/login')) === 0)
})

t.test('AppRole: one login replaces a revoked token for all reads, and a denied path causes none', async (t) => {
  const vault = await startVaultWithSecret(t)
  const { roleId: VAULT_ROLE_ID, secretId: VAULT_SECRET_ID } = await vault.createAppRole('rookery', {
    token_policies: 'rookery',
  })
  for (const name of ['a', 'b', 'c']) await vault.api('POST', `secret/data/${name}`, { data: { key: 'hunter2' } })
  await vault.allowReading('rookery', 'secret/data/rookery', 'secret/data/+')
  const { read } = connectVault(t, vault.url, { VAULT_ROLE_ID, VAULT_SECRET_ID })
  t.equal(await read(secret), 'hunter2')
  // Within a second of a login, a refused token is taken for a policy's denial.
  await sleep(1_100)
  await t.rejects(read('secret/deep/er#key'), { message: /denies access to secret\/data\/deep\/er: the policy/ })
  t.equal(await countTokens(vault, 'auth/approle/login'), 1)
  await vault.api('POST', 'sys/leases/revoke-prefix/auth/approle', {})
  const paths = ['secret/rookery', 'secret/a', 'secret/b', 'secret/c']
  const all = await Promise.all(Array.from({ length: 40 }, (_, index) => read(`${paths[index % 4]}#key`)))
  t.same(new Set(all), new Set(['hunter2']))
  t.equal(await countTokens(vault, 'auth/approle/login'), 1)
})

t.test('AppRole: a login that Vault refuses names the variables to check', async (t) => {
  const vault = await startVaultWithSecret(t)
  const { roleId, secretId } = await vault.createAppRole('rookery', { token_policies: 'rookery' })
  const refused = (mount: string) => ({
    message: `Vault at ${vault.url} refuses the AppRole login at auth/${mount}: check VAULT_ROLE_ID, VAULT_APPROLE_MOUNT, and that the secret ID in VAULT_SECRET_ID is valid.`,
    fault: 'configuration',
  })
  const read = (VAULT_ROLE_ID: string, VAULT_SECRET_ID: string, VAULT_APPROLE_MOUNT = 'approle') =>
    connectVault(t, vault.url, { VAULT_ROLE_ID, VAULT_SECRET_ID, VAULT_APPROLE_MOUNT }).read(secret)
  await t.rejects(read(roleId, 'hunter2'), refused('approle'))
  await t.rejects(read('hunter2', secretId), refused('approle'))
  await t.rejects(read(roleId, secretId, 'elsewhere'), refused('elsewhere'))
  t.equal(await read(roleId, secretId), 'hunter2')
})
