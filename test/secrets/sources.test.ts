import { execFileSync } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { parseReference } from '../../src/secrets/reference.ts'
import { external, faultsOf, secrets } from '../config/faults.ts'

const { JWT_SIGN_KEY: key, ...rest } = external
const unreadable = 'JWT_SIGN_KEY_FILE names a file that cannot be read: check its path and permissions'

t.test('NAME_FILE: relative paths start from the root, and a fault never contains the file’s content', async (t) => {
  const root = t.testdir({ key: `${key}\n`, crlf: `${key}\r\n`, empty: '', line: '\n', folder: {} })
  await writeFile(join(root, 'bytes'), Buffer.from(Array.from({ length: 64 }, (_, index) => 128 + index)))
  for (const JWT_SIGN_KEY_FILE of ['key', 'crlf', join(root, 'key')])
    t.match(
      (await readConfig({ ...rest, JWT_SIGN_KEY_FILE }, root)).secrets.signKeys,
      [{ secret: key }],
      JWT_SIGN_KEY_FILE,
    )
  const faults = (JWT_SIGN_KEY_FILE: string, env: Environment = rest) =>
    faultsOf(t, { ...env, JWT_SIGN_KEY_FILE }, root)
  for (const file of ['empty', 'line'])
    t.same(await faults(file), ['JWT_SIGN_KEY_FILE names an empty file: write the secret to it'])
  for (const file of ['none', 'folder']) t.same(await faults(file), [unreadable])
  t.same(await faults('bytes'), [
    'JWT_SIGN_KEY_FILE names a file that is not UTF-8 text: encode it, for example in base64',
  ])
  t.same(await faults('key', external), ['JWT_SIGN_KEY and JWT_SIGN_KEY_FILE are both set: remove one of them'])
  if (process.getuid?.() !== 0) {
    await chmod(join(root, 'key'), 0)
    t.same(await faults('key'), [unreadable])
  }
  const { dataDir } = (await readConfig({ ...secrets, DATA_DIR: 'below/data' }, root)).database as { dataDir: string } // embedded
  t.equal(dataDir, join(root, 'below/data'))
})

t.test('a pipe is refused and not opened: reading it would hang, or get nothing the second time', async (t) => {
  const root = t.testdir({})
  execFileSync('mkfifo', [join(root, 'pipe')])
  t.same(await faultsOf(t, { ...rest, JWT_SIGN_KEY_FILE: 'pipe' }, root), [
    'JWT_SIGN_KEY_FILE must name a regular file: a pipe could not be read again while the server runs',
  ])
})

t.test('two sources for one secret, and two ways to name the database user or the keys, are faults', async (t) => {
  const faults = (env: Environment) => faultsOf(t, { ...external, ...env })
  t.same(await faults({ JWT_SIGN_KEY_FROM: 'vault:secret/rookery#key' }), [
    'JWT_SIGN_KEY and JWT_SIGN_KEY_FROM are both set: remove one of them',
  ])
  t.same(await faultsOf(t, { ...rest, JWT_SIGN_KEY_FILE: 'key', JWT_SIGN_KEY_FROM: 'aws-sm:rookery' }), [
    'JWT_SIGN_KEY_FILE and JWT_SIGN_KEY_FROM are both set: remove one of them',
  ])
  const DB_CREDENTIALS = '{"username":"u","password":"p"}'
  t.same(await faults({ DB_CREDENTIALS, DB_USER: 'u' }), [
    'DB_CREDENTIALS and DB_PASSWORD are both set: remove one of them',
    'DB_CREDENTIALS and DB_USER are both set: remove one of them',
  ])
})

t.test('a value that is a reference or a URL is refused, because it is no secret', async (t) => {
  const references = [
    ...['vault:secret/data/rookery#key-which-is-long', 'vault://vault.example/secret/rookery'],
    ...['aws-sm:rookery/production#jwt-sign-key', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:x'],
    ...['https://vault.example/v1/secret/data/rookery', ' VAULT:secret/rookery-with-12-characters'],
  ]
  for (const JWT_SIGN_KEY of references) {
    const faults = await faultsOf(t, { ...external, JWT_SIGN_KEY })
    t.same(faults, ['JWT_SIGN_KEY is a reference or a URL, not a secret: to read it from there, set JWT_SIGN_KEY_FROM'])
  }
  for (const name of ['DB_PASSWORD', 'PASSWORD_PEPPER', 'THROTTLE_KEY', 'TOTP_KEYS'])
    t.match(await faultsOf(t, { ...external, [name]: 'aws-sm:x' }), [new RegExp(`^${name} is a reference`)])
  const root = t.testdir({ key: 'vault:secret/data/rookery#key-which-is-long' })
  t.same(await faultsOf(t, { ...rest, JWT_SIGN_KEY_FILE: 'key' }, root), [
    'JWT_SIGN_KEY_FILE leads to a reference or a URL instead of a secret',
  ])
})

t.test('NAME_FROM must be a reference, and one to Vault must name a field of a secret that is not JSON', async (t) => {
  const malformed = [
    'secret/rookery',
    'vault:',
    'vault:#key',
    'vault://secret/rookery#key',
    'vault:secret/a b#c',
    'gcp-sm:x',
  ]
  for (const JWT_SIGN_KEY_FROM of malformed)
    t.same(
      await faultsOf(t, { ...rest, JWT_SIGN_KEY_FROM }),
      ['JWT_SIGN_KEY_FROM must be vault:MOUNT/PATH#FIELD or aws-sm:NAME_OR_ARN#FIELD'],
      JWT_SIGN_KEY_FROM,
    )
  t.same(await faultsOf(t, { ...rest, JWT_SIGN_KEY_FROM: 'vault:secret/rookery' }), [
    'JWT_SIGN_KEY_FROM must name a field of the secret: vault:MOUNT/PATH#FIELD',
  ])
  t.same(parseReference('aws-sm:arn:aws:secretsmanager:eu-west-1:1:secret:rookery-AbC#password'), {
    manager: 'aws-sm',
    path: 'arn:aws:secretsmanager:eu-west-1:1:secret:rookery-AbC',
    field: 'password',
  })
})

t.test('DB_CREDENTIALS is JSON with a username and a password, as AWS’s rotation writes it', async (t) => {
  const { DB_PASSWORD: _, ...others } = external
  const written = { engine: 'mongo', host: 'db.example', username: 'rookery_b', password: 'p:"\\', port: 27_017 }
  const config = await readConfig({ ...others, DB_CREDENTIALS: JSON.stringify(written) })
  t.same(config.secrets.database, { username: 'rookery_b', password: 'p:"\\' })
  for (const DB_CREDENTIALS of [
    'hunter2',
    '"hunter2"',
    '{"username":"hunter2"}',
    '{"username":"","password":"hunter2"}',
  ])
    t.same(await faultsOf(t, { ...others, DB_CREDENTIALS }), [
      'DB_CREDENTIALS must be JSON with a username and a password: {"username": "…", "password": "…"}',
    ])
})
