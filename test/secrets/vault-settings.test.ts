import t from 'tap'
import { vaultManager } from '../../src/secrets/vault.ts'

const VAULT_ADDR = 'https://vault.example:8200'

function faultOf(env: Readonly<Record<string, string>>): unknown {
  try {
    vaultManager(env, { root: '/', onLeaseDue: () => undefined }).close()
    return undefined
  } catch (error) {
    return error
  }
}

t.test('VAULT_ADDR is required, and must be an http or https URL without credentials', async (t) => {
  t.match(faultOf({ VAULT_TOKEN: 'hunter2', VAULT_ADDR: '' }), {
    message: 'VAULT_ADDR is missing: set the address of Vault, such as https://vault.example:8200.',
    fault: 'configuration',
  })
  for (const address of [
    'vault.example',
    'vault:8200',
    'ftp://vault',
    'http://a:hunter2@vault',
    'http://vault?token=hunter2',
  ])
    t.match(faultOf({ VAULT_TOKEN: 'hunter2', VAULT_ADDR: address }), {
      message: 'VAULT_ADDR must be an http or https URL without credentials, such as https://vault.example:8200.',
      fault: 'configuration',
    })
})

t.test('exactly one way to log in is required', async (t) => {
  const faults: [Readonly<Record<string, string>>, string | undefined][] = [
    [
      {},
      'There is no way to log in to Vault: set VAULT_TOKEN, VAULT_TOKEN_FILE, VAULT_ROLE_ID with VAULT_SECRET_ID, or VAULT_KUBERNETES_ROLE.',
    ],
    [
      { VAULT_TOKEN: 'hunter2', VAULT_KUBERNETES_ROLE: 'app' },
      'VAULT_TOKEN and VAULT_KUBERNETES_ROLE are set: keep one way to log in to Vault.',
    ],
    [
      { VAULT_TOKEN: 'hunter2', VAULT_TOKEN_FILE: 'token' },
      'VAULT_TOKEN and VAULT_TOKEN_FILE are set: keep one way to log in to Vault.',
    ],
    [
      { VAULT_ROLE_ID: 'app' },
      'VAULT_ROLE_ID is set without a secret ID: set VAULT_SECRET_ID or VAULT_SECRET_ID_FILE.',
    ],
    [
      { VAULT_ROLE_ID: 'app', VAULT_SECRET_ID: 'hunter2', VAULT_SECRET_ID_FILE: 'id' },
      'VAULT_SECRET_ID and VAULT_SECRET_ID_FILE are both set: remove one of them.',
    ],
    [{ VAULT_ROLE_ID: 'app', VAULT_SECRET_ID: 'hunter2' }, undefined],
    [{ VAULT_ROLE_ID: 'app', VAULT_SECRET_ID_FILE: 'id' }, undefined],
    [{ VAULT_KUBERNETES_ROLE: 'app' }, undefined],
    [{ VAULT_TOKEN_FILE: 'token' }, undefined],
    [{ VAULT_TOKEN: 'hunter2', VAULT_TOKEN_FILE: '', VAULT_ROLE_ID: '' }, undefined],
  ]
  for (const [env, message] of faults)
    if (message === undefined) t.equal(faultOf({ VAULT_ADDR, ...env }), undefined)
    else t.match(faultOf({ VAULT_ADDR, ...env }), { message, fault: 'configuration' })
})

t.test('a token or namespace that no header can contain is refused without its value', async (t) => {
  t.match(faultOf({ VAULT_ADDR, VAULT_TOKEN: 'hunter2\nhunter3' }), {
    message: 'VAULT_TOKEN contains white space or other characters that it must not.',
  })
  t.match(faultOf({ VAULT_ADDR, VAULT_TOKEN: 'hunter2', VAULT_NAMESPACE: 'team ä' }), {
    message: 'VAULT_NAMESPACE contains characters that no namespace has: set one such as team/app.',
  })
})
