import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { connectVault } from './connect-vault.ts'
import { credentials, creds, database, docs, lookUpSelf, mount, VAULT_TOKEN } from './recorded-replies.ts'
import { recordedVault } from './recorded-vault.ts'

t.test(`recorded: the Kubernetes login of ${docs}/auth/kubernetes#login`, async (t) => {
  const root = t.testdir({ jwt: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.first\n' })
  const login = {
    body: {
      auth: {
        client_token: '62b858f9-529c-6b26-e0b8-0457b6aacdb4',
        accessor: 'afa306d0-be3d-c8d2-b0d7-2676e1c0d9b4',
        policies: ['default'],
        metadata: { role: 'test', service_account_name: 'vault-auth', service_account_namespace: 'default' },
        lease_duration: 2_764_800,
        renewable: true,
      },
    },
  }
  const denied = { status: 403, body: { errors: ['permission denied'] } }
  const secret = { body: { data: { data: { key: 'hunter2' }, metadata: { version: 1 } } } }
  const vault = await recordedVault(t, {
    'POST auth/kubernetes/login': [denied, login],
    'POST auth/clusters/a/login': login,
    'GET sys/internal/ui/mounts/secret/app': mount('secret/', 'kv', '2'),
    'GET secret/data/app': secret,
  })
  const env = { VAULT_KUBERNETES_ROLE: 'dev-role', VAULT_KUBERNETES_TOKEN_FILE: 'jwt' }
  const { read } = connectVault(t, vault.url, env, root)
  await t.rejects(read('secret/app#key'), {
    message: `Vault at ${vault.url} refuses the Kubernetes login at auth/kubernetes: check VAULT_KUBERNETES_ROLE, VAULT_KUBERNETES_MOUNT, and the service account that the role permits.`,
    fault: 'configuration',
  })
  await writeFile(join(root, 'jwt'), 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.second')
  t.equal(await read('secret/app#key'), 'hunter2')
  t.same(
    vault.requests.map(({ line, token, body }) => [line, token, body]),
    [
      ...['first', 'second'].map((end) => [
        'POST auth/kubernetes/login',
        undefined,
        { role: 'dev-role', jwt: `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${end}` },
      ]),
      ['GET sys/internal/ui/mounts/secret/app', '62b858f9-529c-6b26-e0b8-0457b6aacdb4', null],
      ['GET secret/data/app', '62b858f9-529c-6b26-e0b8-0457b6aacdb4', null],
    ],
    'the file of the service account is read at each login',
  )
  const other = connectVault(t, vault.url, { ...env, VAULT_KUBERNETES_MOUNT: 'clusters/a' }, root)
  t.equal(await other.read('secret/app#key'), 'hunter2')
  await t.rejects(connectVault(t, vault.url, { VAULT_KUBERNETES_ROLE: 'dev-role' }).read('secret/app#key'), {
    message: 'VAULT_KUBERNETES_TOKEN_FILE names a file that cannot be read: check its path and permissions.',
  })
})

t.test('recorded: the namespaces of https://developer.hashicorp.com/vault/docs/enterprise/namespaces', async (t) => {
  const vault = await recordedVault(t, {
    'GET auth/token/lookup-self': lookUpSelf,
    'GET sys/internal/ui/mounts/secret/foo': mount('secret/', 'kv', '1'),
    'GET secret/foo': { body: { data: { key: 'by the header' } } },
    'GET sys/internal/ui/mounts/ns2/secret/foo': mount('ns1/ns2/secret/', 'kv', '2'),
    'GET ns2/secret/data/foo': { body: { data: { data: { key: 'by both' }, metadata: {} } } },
  })
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN, VAULT_NAMESPACE: 'ns1/' })
  t.equal(await read('secret/foo#key'), 'by the header')
  t.equal(await read('ns2/secret/foo#key'), 'by both')
  t.same(new Set(vault.requests.map(({ namespace }) => namespace)), new Set(['ns1/']), 'every request has the header')
})

t.test('recorded: a policy or a proxy that hides where mounts end', async (t) => {
  const hidden = { status: 403, body: { errors: ['preflight capability check returned 403'] } }
  const vault = await recordedVault(t, {
    'GET auth/token/lookup-self': lookUpSelf,
    'GET sys/internal/ui/mounts/old/app': hidden,
    'GET old/app': { body: { data: { key: 'version 1' } } },
    'GET sys/internal/ui/mounts/new/app': hidden,
    'GET new/data/app': { body: { data: { data: { key: 'version 2' }, metadata: {} } } },
  })
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN })
  t.equal(await read('old/app#key'), 'version 1')
  t.equal(await read('new/app#key'), 'version 2')
})

t.test('recorded: reads of one lease agree until new credentials are requested', async (t) => {
  const vault = await recordedVault(t, { ...database, [creds]: [credentials('a', 3_600), credentials('b', 3_600)] })
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN })
  t.same(await Promise.all(['#username', '#password', ''].map((field) => read(`database/creds/my-role${field}`))), [
    'a',
    '132ae3ef-a',
    '{"username":"a","password":"132ae3ef-a"}',
  ])
  t.equal(await read('database/creds/my-role#username'), 'a')
  t.equal(await read('database/creds/my-role#username', { fresh: true }), 'b')
  t.equal(await read('database/creds/my-role#password'), '132ae3ef-b')
  t.equal(vault.count(creds), 2)
})

t.test('recorded: credentials that MongoDB goes on refusing do not create ever more database users', async (t) => {
  const users = ['a', 'b', 'c'].map((name) => credentials(name, 3_600))
  const vault = await recordedVault(t, { ...database, [creds]: users })
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN })
  await read('database/creds/my-role')
  const fields = ['#username', '#username', '#password'].map((field) => `database/creds/my-role${field}`)
  for (let round = 0; round < 20; round += 1)
    t.same(await Promise.all(fields.map((field) => read(field, { fresh: true }))), ['b', 'b', '132ae3ef-b'])
  t.equal(vault.count(creds), 2)
})
