import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { configWarnings } from '../../src/config-warnings.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { serializeKeyRing, toPublicRing } from '../../src/secrets/change-key-ring.ts'
import { ed25519Key } from '../secrets/rings.ts'
import { production, secrets } from './faults.ts'

async function warnings(env: Environment, root = '/', memoryLimitBytes?: number) {
  return configWarnings(await readConfig(env, root), env, root, memoryLimitBytes)
}

async function openFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-warnings-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o755)
  return folder
}

t.test('production warns of a DATA_DIR that other users can enter or read', async (t) => {
  const root = await openFolder(t)
  const DATA_DIR = join(root, 'data')
  const env = { ...secrets, NODE_ENV: 'production', PUBLIC_ORIGIN: 'https://rookery.example', DATA_DIR }
  t.same(await warnings(env), [], 'none before the first start')
  await mkdir(DATA_DIR)
  for (const mode of [0o755, 0o701, 0o704]) {
    await chmod(DATA_DIR, mode)
    t.match(
      await warnings(env),
      [{ text: /DATA_DIR: give it mode 0700/, fields: { path: DATA_DIR } }],
      mode.toString(8),
    )
  }
  for (const mode of [0o700, 0o750]) {
    await chmod(DATA_DIR, mode)
    t.same(await warnings(env), [], mode.toString(8))
  }
  t.same(await warnings({ ...env, NODE_ENV: 'development' }), [])
})

t.test(
  'production warns of each secret file that other users can read, and not of one in a closed folder',
  async (t) => {
    const root = await openFolder(t)
    const closed = join(root, 'closed')
    await mkdir(closed, { mode: 0o700 })
    for (const folder of [root, closed]) await writeFile(join(folder, 'key'), `${secrets.JWT_SIGN_KEY}\n`)
    await chmod(join(root, 'key'), 0o644)
    await chmod(join(closed, 'key'), 0o644)
    const { MONGODB_URI, ...rest } = production
    const env = { ...rest, MONGODB_URI: `${MONGODB_URI}&tls=true`, JWT_SIGN_KEY: '', JWT_SIGN_KEY_FILE: 'key' }
    const found = await warnings(env, root)
    t.match(found, [{ text: /secret file: give it mode 0600/, fields: { variable: 'JWT_SIGN_KEY_FILE' } }])
    t.notMatch(JSON.stringify(found), secrets.JWT_SIGN_KEY)
    t.same(await warnings({ ...env, JWT_SIGN_KEY_FILE: 'closed/key' }, root), [])
    await chmod(join(root, 'key'), 0o640)
    t.same(await warnings(env, root), [])
  },
)

t.test('production warns if no origin has a host name for passkeys', async (t) => {
  const insecure = { COOKIE_SECURE: 'false', ALLOW_INSECURE_COOKIES: 'true' }
  const MONGODB_URI = `${production.MONGODB_URI}&tls=true`
  const from = (PUBLIC_ORIGIN: string, more = {}) => warnings({ ...production, MONGODB_URI, PUBLIC_ORIGIN, ...more })
  for (const [origin, more] of [
    ['https://192.0.2.1', {}],
    ['http://rookery.example', insecure],
  ] as const)
    t.match(
      await from(origin, more),
      [{ text: /passkeys are off.*PUBLIC_ORIGIN/, fields: { origins: origin } }],
      origin,
    )
  t.same(await from('https://192.0.2.1,https://rookery.example'), [])
  t.same(await from('http://localhost:5000', insecure), [])
})

t.test('production warns of MongoDB on another machine without TLS', async (t) => {
  const from = (MONGODB_URI: string) => warnings({ ...production, MONGODB_URI })
  for (const [uri, hosts] of [
    ['mongodb://db.example/rookery', 'db.example'],
    ['mongodb://127.0.0.1:27017,db.example:27017/?replicaSet=a', 'db.example:27017'],
    ['mongodb://[fe80::1]:27017/?tls=false', '[fe80::1]:27017'],
    ['mongodb+srv://db.example/?ssl=false', 'db.example'],
  ] as const)
    t.match(await from(uri), [{ text: /not encrypted: set tls=true in MONGODB_URI/, fields: { hosts } }], uri)
  for (const uri of [
    'mongodb://127.0.0.1:27017,localhost:1,[::1]:2/',
    'mongodb://%2Ftmp%2Fmongodb-27017.sock/rookery',
    'mongodb://db.example/?replicaSet=a&TLS=true',
    'mongodb://db.example/?ssl=true',
    'mongodb+srv://db.example/rookery',
  ])
    t.same(await from(uri), [], uri)
})

t.test('development warns once of a HOST beyond this machine, and names what is lax', async (t) => {
  for (const HOST of ['0.0.0.0', '::', '10.1.2.3', 'machine.example']) {
    const text =
      /sign-ups and changes are hardly limited, cookies travel unencrypted, and usernames .* NODE_ENV=production/
    t.match(await warnings({ ...secrets, HOST }), [{ text, fields: { host: HOST } }], HOST)
  }
  for (const HOST of ['', '127.0.0.1', '::1', 'localhost']) t.same(await warnings({ ...secrets, HOST }), [], HOST)
})

t.test('production warns that no app can be enrolled without TOTP_KEYS, unless it serves no accounts', async (t) => {
  const secure = { ...production, MONGODB_URI: `${production.MONGODB_URI}&tls=true` }
  t.same(await warnings(secure), [])
  t.match(await warnings({ ...secure, TOTP_KEYS: '' }), [{ text: /set TOTP_KEYS$/ }])
  const { JWT_SIGN_KEY: _, ...rest } = secure
  const JWT_SIGN_KEYS = serializeKeyRing(toPublicRing([ed25519Key('one')]))
  t.same(await warnings({ ...rest, JWT_SIGN_KEYS, SERVICES: 'posts', TOTP_KEYS: '' }), [])
})

t.test('a memory limit below 300 MiB for each process is warned of', async (t) => {
  const mebibyte = 1024 * 1024
  const env = { ...production, MONGODB_URI: `${production.MONGODB_URI}&tls=true` }
  const at = (WEB_CONCURRENCY: string, limitMiB: number, more = {}) =>
    warnings({ ...env, WEB_CONCURRENCY, ...more }, '/', limitMiB * mebibyte)
  const text = /memory limit.* 300 MiB for each process: raise it .*MemoryMax.*MEMORY_LIMIT.* or lower WEB_CONCURRENCY/
  // The primary and the writing process count, too.
  for (const [processes, limitMiB, neededMiB] of [
    ['5', 2_048, '2100'],
    ['2', 1_199, '1200'],
    ['1', 299, '300'],
  ] as const)
    t.match(await at(processes, limitMiB), [{ text, fields: { limitMiB: String(limitMiB), neededMiB } }], processes)
  for (const [processes, limitMiB] of [
    ['4', 2_048],
    ['2', 1_200],
    ['1', 300],
  ] as const)
    t.same(await at(processes, limitMiB), [], processes)
  t.match(await at('5', 2_048, { NODE_ENV: 'development' }), [{ text }])
  for (const unlimited of [0, 2 ** 64 / mebibyte]) t.same(await at('64', unlimited), [], `${unlimited}`)
})
