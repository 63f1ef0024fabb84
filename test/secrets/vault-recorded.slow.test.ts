import t from 'tap'
import { eventually } from '../eventually.ts'
import { connectVault } from './connect-vault.ts'
import { auth, credentials, creds, database, renew, renewed, VAULT_TOKEN } from './recorded-replies.ts'
import { recordedVault } from './recorded-vault.ts'

// They mostly wait, longer than a busy machine delays a timer.
t.jobs = 8

const appRole = { VAULT_ROLE_ID: 'role', VAULT_SECRET_ID: 'secret' }

t.test('recorded: a renewed lease stays', async (t) => {
  const replies = [credentials('a', 6), credentials('b', 3_600)]
  const vault = await recordedVault(t, { ...database, [creds]: replies, [renew]: renewed(3_600) })
  const { read, due } = connectVault(t, vault.url, { VAULT_TOKEN })
  t.equal(await read('database/creds/my-role#username'), 'a')
  await eventually(() => vault.count(renew) === 1)
  t.equal(await read('database/creds/my-role#username'), 'a')
  t.equal(due.count, 0)
  const { body } = vault.requests.find(({ line }) => line === renew) ?? {}
  t.same(body, { lease_id: 'database/creds/my-role/a', increment: 6 })
})

t.test('recorded: a lease is renewed until its maximum TTL is near, and the next read gets another', async (t) => {
  const vault = await recordedVault(t, {
    ...database,
    [creds]: [credentials('a', 6), credentials('b', 3_600)],
    [renew]: [renewed(6), renewed(2)],
  })
  const { read, due } = connectVault(t, vault.url, { VAULT_TOKEN })
  t.equal(await read('database/creds/my-role#username'), 'a')
  await eventually(() => due.count === 1)
  t.equal(await read('database/creds/my-role#username'), 'b')
  t.equal(vault.count(renew), 2)
})

t.test('recorded: a lease that is not renewable, or that Vault refuses to renew, is due at two thirds', async (t) => {
  for (const renewable of [true, false]) {
    const refused = { status: 400, body: { errors: ['lease not found'] } }
    const replies = [credentials('a', 1, renewable), credentials('b', 3_600)]
    const vault = await recordedVault(t, { ...database, [creds]: replies, [renew]: refused })
    const { read, due } = connectVault(t, vault.url, { VAULT_TOKEN })
    t.equal(await read('database/creds/my-role#username'), 'a')
    await eventually(() => due.count === 1)
    t.equal(await read('database/creds/my-role#username'), 'b')
    t.equal(vault.count(renew), renewable ? 1 : 0)
  }
})

t.test('recorded: a token is renewed; near its maximum TTL another replaces it, and its leases are due', async (t) => {
  const vault = await recordedVault(t, {
    ...database,
    'POST auth/approle/login': [auth('hvs.first', 6), auth('hvs.second', 3_600)],
    'POST auth/token/renew-self': [auth('hvs.first', 6), auth('hvs.first', 2)],
    [creds]: [credentials('a', 3_600), credentials('b', 3_600)],
  })
  const { read, due } = connectVault(t, vault.url, appRole)
  t.equal(await read('database/creds/my-role#username'), 'a')
  await eventually(() => due.count === 1)
  t.equal(await read('database/creds/my-role#username'), 'b')
  t.equal(vault.requests.at(-1)?.token, 'hvs.second')
  t.same(
    vault.requests.map(({ line }) => line).filter((line) => line.startsWith('POST')),
    ['POST auth/approle/login', 'POST auth/token/renew-self', 'POST auth/token/renew-self', 'POST auth/approle/login'],
  )
})

t.test('recorded: after close, neither the token nor a lease is renewed', async (t) => {
  const vault = await recordedVault(t, {
    ...database,
    'POST auth/approle/login': [auth('hvs.first', 3), auth('hvs.second', 3)],
    'POST auth/token/renew-self': auth('hvs.renewed', 3),
    [creds]: credentials('a', 3),
    [renew]: renewed(3),
  })
  const requestsWith = (token: string) => vault.requests.filter((request) => request.token === token).length
  const first = connectVault(t, vault.url, appRole)
  await first.read('database/creds/my-role#username')
  await eventually(() => vault.count(renew) > 0 && vault.count('POST auth/token/renew-self') > 0)
  first.close()
  const second = connectVault(t, vault.url, appRole)
  await second.read('database/creds/my-role#username')
  await eventually(() => requestsWith('hvs.second') >= 3)
  const before = requestsWith('hvs.first')
  await eventually(() => requestsWith('hvs.second') >= 7)
  t.equal(requestsWith('hvs.first'), before)
})

t.test('recorded: while Vault is sealed, the renewal of a lease is retried', async (t) => {
  const sealed = { status: 503, body: { errors: ['Vault is sealed'] } }
  const replies = [sealed, sealed, renewed(3_600)]
  const vault = await recordedVault(t, { ...database, [creds]: credentials('a', 15), [renew]: replies })
  const { read, due } = connectVault(t, vault.url, { VAULT_TOKEN })
  t.equal(await read('database/creds/my-role#username'), 'a')
  await eventually(() => vault.count(renew) === 3)
  t.equal(await read('database/creds/my-role#username'), 'a')
  t.equal(due.count, 0)
})

t.test(
  'recorded: when a sealed Vault keeps a lease from being renewed, the caller is told before it expires',
  async (t) => {
    const sealed = { status: 503, body: { errors: ['Vault is sealed'] } }
    const replies = [credentials('a', 6), sealed, credentials('b', 3_600)]
    const vault = await recordedVault(t, { ...database, [creds]: replies, [renew]: sealed })
    const { read, due } = connectVault(t, vault.url, { VAULT_TOKEN })
    t.equal(await read('database/creds/my-role#username'), 'a')
    await eventually(() => due.count === 1)
    await t.rejects(read('database/creds/my-role#username'), { message: /is sealed/ })
    await eventually(() => due.count === 2)
    t.equal(await read('database/creds/my-role#username'), 'b')
  },
)
