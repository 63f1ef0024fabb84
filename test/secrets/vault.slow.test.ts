import t from 'tap'
import { startVault } from '../vault-peer/vault.ts'
import { connectVault } from './connect-vault.ts'

t.test('secrets of a real Vault', async (t) => {
  const vault = await startVault(t)
  await vault.mountKeyValue('secret', '2')
  await vault.mountKeyValue('team/keys', '2')
  await vault.mountKeyValue('old', '1')
  const fields = { key: 'hunter2', count: 5, ring: [{ kid: 'a' }], 'white space': ' \n', constructor: 'c' }
  await vault.api('POST', 'secret/data/rookery/app', { data: fields })
  await vault.api('POST', 'team/keys/data/app', { data: { key: 'deep' } })
  await vault.api('POST', 'old/rookery/app', { ...fields, key: 'from version 1' })
  await vault.api('POST', 'secret/data/rookery/sp%C3%A4t', { data: { key: 'umlaut' } })
  await vault.allowReading('rookery', 'secret/data/rookery/*', 'team/keys/data/*', 'old/rookery/*')
  const VAULT_TOKEN = await vault.issueToken('rookery')
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN })

  t.test('version 2 and 1 of the key-value engine and deep mounts are read alike', async (t) => {
    t.equal(await read('secret/rookery/app#key'), 'hunter2')
    t.equal(await read('team/keys/app#key'), 'deep')
    t.equal(await read('old/rookery/app#key'), 'from version 1')
    t.equal(await read('secret/rookery/spät#key'), 'umlaut')
  })

  t.test('a field that is not a string is JSON, and so is a secret without a field', async (t) => {
    t.equal(await read('secret/rookery/app#count'), '5')
    t.equal(await read('secret/rookery/app#ring'), '[{"kid":"a"}]')
    t.equal(await read('secret/rookery/app#constructor'), 'c')
    t.same(JSON.parse(await read('secret/rookery/app')), fields)
    t.same(JSON.parse(await read('old/rookery/app')), { ...fields, key: 'from version 1' })
  })

  t.test('a value that changes in Vault is read from then on, by 200 concurrent reads too', async (t) => {
    await vault.api('POST', 'secret/data/rookery/changing', { data: { key: 'first' } })
    t.equal(await read('secret/rookery/changing#key'), 'first')
    await vault.api('POST', 'secret/data/rookery/changing', { data: { key: 'second' } })
    const all = await Promise.all(Array.from({ length: 200 }, () => read('secret/rookery/changing#key')))
    t.same(new Set(all), new Set(['second']))
  })

  t.test('a sealed Vault is reported, and read again once it is unsealed', async (t) => {
    await vault.seal()
    const sealed = { message: `Vault at ${vault.url} is sealed: unseal it.`, fault: 'out-of-reach' }
    await t.rejects(read('secret/rookery/app#key'), sealed)
    const other = connectVault(t, vault.url, { VAULT_ROLE_ID: 'a', VAULT_SECRET_ID: 'b' })
    await t.rejects(other.read('secret/a#b'), sealed, 'at a login too')
    await vault.unseal()
    t.equal(await read('secret/rookery/app#key'), 'hunter2')
  })
})

t.test('each fault of a reference or a policy has its sentence', async (t) => {
  const vault = await startVault(t)
  await vault.mountKeyValue('secret', '2')
  await vault.api('POST', 'secret/data/rookery/app', { data: { key: 'hunter2', blank: '', nothing: null } })
  await vault.api('POST', 'secret/data/rookery/bare', { data: {} })
  await vault.api('POST', 'secret/data/other/app', { data: { key: 'hunter2' } })
  await vault.api('POST', 'secret/data/rookery/gone', { data: { key: 'hunter2' } })
  await vault.api('DELETE', 'secret/data/rookery/gone')
  await vault.allowReading('rookery', 'secret/data/rookery/*')
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN: await vault.issueToken('rookery') })
  const name = `Vault at ${vault.url}`
  const faults = {
    'secret/rookery/app#none': 'The secret secret/rookery/app in Vault has no field none: check the name after "#".',
    'secret/rookery/app#toString':
      'The secret secret/rookery/app in Vault has no field toString: check the name after "#".',
    'secret/rookery/app#blank': 'The field blank of the secret secret/rookery/app in Vault is empty: write its value.',
    'secret/rookery/app#nothing':
      'The field nothing of the secret secret/rookery/app in Vault is empty: write its value.',
    'secret/rookery/bare': 'The secret secret/rookery/bare in Vault is empty: write its fields.',
    'secret/rookery/none#key': `${name} has no secret at secret/data/rookery/none: check the path, and whether the secret was deleted.`,
    'secret/rookery/gone#key': `${name} has no secret at secret/data/rookery/gone: check the path, and whether the secret was deleted.`,
    'secret/other/app#key': `${name} denies access to secret/data/other/app: the policy of its token needs the capability "read" there.`,
    'none/app#key': `${name} denies access to none/app and none/data/app: the policy of its token needs the capability "read" there.`,
    'secret/data/rookery/app#key': `${name} cannot read secret/data/data/rookery/app: write the reference without data/.`,
    'secret/../sys/mounts#key': 'The path secret/../sys/mounts in Vault contains a dot segment: remove it.',
  }
  for (const [text, message] of Object.entries(faults))
    await t.rejects(read(text), { message, fault: 'configuration' }, text)
  const root = connectVault(t, vault.url, { VAULT_TOKEN: vault.rootToken })
  await t.rejects(root.read('none/app#key'), {
    message: `${name} has no secret at none/app and none/data/app: check the path, and whether the secret was deleted.`,
  })
})
