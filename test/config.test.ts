import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { type Config, readConfig } from '../src/config.ts'
import { serializeKeyRing } from '../src/secrets/change-key-ring.ts'
import type { KeyRing } from '../src/secrets/key-ring.ts'
import { external, faultsOf, production, secrets } from './config/faults.ts'
import { ed25519Key, publicKey, symmetricKey } from './secrets/rings.ts'

async function expectRefused(t: Test, name: string, values: readonly string[]): Promise<void> {
  for (const value of values) {
    const faults = await faultsOf(t, { ...external, [name]: value })
    t.equal(faults.length, 1, `${name}=${value} has one fault`)
    t.match(faults[0], new RegExp(`^${name} .+`), 'the fault begins with the variable')
  }
}

async function expectAccepted(
  t: Test,
  name: string,
  values: Record<string, (config: Config) => unknown>,
): Promise<void> {
  for (const [value, read] of Object.entries(values))
    t.equal(read(await readConfig({ ...external, [name]: value })), true, `${name}=${value}`)
}

t.test('whole numbers are accepted at both ends of their range and refused outside it', async (t) => {
  const numbers: [name: string, min: number, max: number, read: (config: Config) => number][] = [
    ['PORT', 0, 65_535, (config) => config.port],
    ['METRICS_PORT', 0, 65_535, (config) => config.metrics.port],
    ['BCRYPT_COST', 4, 16, (config) => config.bcryptCost],
    ['PASSWORD_MIN_LENGTH', 8, 64, (config) => config.passwordMinLength],
    ['USERNAME_HOLD_DAYS', 0, 3_650, (config) => config.usernameHoldDays],
    ['LIMIT_SIGNUPS_PER_ADDRESS', 1, 1_000_000, ({ limits }) => limits.signupsPerAddress],
    ['LIMIT_WRITES_PER_ACCOUNT', 1, 100_000_000, ({ limits }) => limits.writesPerAccount],
    ['LIMIT_WRITES_PER_ADDRESS', 1, 100_000_000, ({ limits }) => limits.writesPerAddress],
    ['LIMIT_LOGINS_PER_ACCOUNT', 1, 100_000_000, ({ limits }) => limits.loginsPerAccount],
    ['LIMIT_LOGINS_PER_ADDRESS', 1, 100_000_000, ({ limits }) => limits.loginsPerAddress],
    ['LIMIT_SIGNUPS_PER_NETWORK', 1, 1_000_000, ({ limits }) => limits.signupsPerNetwork],
    ['LIMIT_WRITES_PER_NETWORK', 1, 100_000_000, ({ limits }) => limits.writesPerNetwork],
    ['LIMIT_STREAMS_PER_ADDRESS', 1, 10_000, ({ limits }) => limits.streamsPerAddress],
    ['LIMIT_FOLLOWS', 1, 100_000, ({ limits }) => limits.follows],
    ['LIMIT_VERIFICATIONS_PER_ACCOUNT', 1, 1_000, ({ limits }) => limits.verificationsPerAccount],
    ['LIMIT_RESETS_PER_ADDRESS', 1, 1_000_000, ({ limits }) => limits.resetsPerAddress],
    ['LIMIT_RESETS_PER_NETWORK', 1, 1_000_000, ({ limits }) => limits.resetsPerNetwork],
    ['LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS', 1, 1_000, ({ limits }) => limits.failedLogins.pair],
    ['LIMIT_FAILED_LOGINS_PER_ADDRESS', 1, 1_000, ({ limits }) => limits.failedLogins.address],
    ['LIMIT_FAILED_LOGINS_PER_NETWORK', 1, 1_000, ({ limits }) => limits.failedLogins.network],
    ['LIMIT_FAILED_LOGINS_PER_ACCOUNT', 1, 1_000, ({ limits }) => limits.failedLogins.account],
    ['LIMIT_FAILED_LOGINS_PER_DEVICE', 1, 1_000, ({ limits }) => limits.failedLogins.device],
    ['LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_NETWORK', 1, 1_000, ({ limits }) => limits.failedLogins.accountAndNetwork],
    ['LIMIT_FAILED_LOGINS_IN_A_ROW', 1, 100, ({ limits }) => limits.failedLogins.inARow],
    ['LIMIT_FAILED_CODES_PER_ACCOUNT', 1, 1_000, ({ limits }) => limits.failedCodes.account],
    ['LIMIT_FAILED_CODES_IN_A_ROW', 1, 100, ({ limits }) => limits.failedCodes.inARow],
  ]
  for (const [name, min, max, read] of numbers) {
    for (const value of [min, max])
      t.equal(read(await readConfig({ ...external, [name]: String(value) })), value, `${name}=${value}`)
    await expectRefused(t, name, [String(max + 1), '-1', '1.5', '1e1', '0x10', 'ten', ' 9', '10 ', '9'.repeat(30)])
    if (min > 0) await expectRefused(t, name, [String(min - 1)])
  }
})

t.test('NODE_ENV, COOKIE_SECURE, LOG_LEVEL and SECURITY_LOG accept exactly their words', async (t) => {
  for (const name of ['development', 'test']) await t.resolves(readConfig({ ...external, NODE_ENV: name }))
  await expectRefused(t, 'NODE_ENV', ['prod', 'Production', 'staging'])
  await expectAccepted(t, 'COOKIE_SECURE', { true: (c) => c.cookieSecure, false: (c) => !c.cookieSecure })
  await expectRefused(t, 'COOKIE_SECURE', ['TRUE', '1', 'yes', 'on'])
  for (const level of ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    t.equal((await readConfig({ ...external, LOG_LEVEL: level })).log.level, level)
  await expectRefused(t, 'LOG_LEVEL', ['INFO', 'verbose', 'off'])
  await expectAccepted(t, 'SECURITY_LOG', { stdout: (c) => c.log.security, off: (c) => !c.log.security })
  await expectRefused(t, 'SECURITY_LOG', ['true', 'stderr', '/var/log/security'])
})

t.test('PUBLIC_ORIGIN accepts only origins as browsers serialise them', async (t) => {
  const { publicOrigins } = await readConfig({
    ...external,
    PUBLIC_ORIGIN: ' https://a.example , http://b.example:8080,http://[::1]:5000,',
  })
  t.same(publicOrigins, ['https://a.example', 'http://b.example:8080', 'http://[::1]:5000'])
  t.equal((await readConfig(external)).publicOrigins, undefined)
  const invalid = [
    'https://a.example/',
    'https://a.example/x',
    'https://a.example:443',
    'HTTPS://a.example',
    'a.example',
  ]
  const moreInvalid = [
    'https://A.example',
    'https://me@a.example',
    'ftp://a.example',
    'null',
    '*',
    'https://*.a.example,x',
    ',',
  ]
  await expectRefused(t, 'PUBLIC_ORIGIN', [...invalid, ...moreInvalid, 'https://a.example;https://b.example'])
})

t.test('TRUSTED_PROXIES accepts addresses and ranges, but neither a hop count nor /0', async (t) => {
  const value = '127.0.0.1, 10.0.0.0/8,::1,fd00::/8,192.0.2.1/32,2001:db8::1/128'
  t.same((await readConfig({ ...external, TRUSTED_PROXIES: value })).trustedProxies, value.split(/, ?/))
  t.same((await readConfig(external)).trustedProxies, [])
  const everyone = ['0.0.0.0/0', '::/0', '10.0.0.0/00', '::/00', '127.0.0.1,0.0.0.0/0']
  const counts = ['1', '2', 'true', 'loopback', 'all', '*']
  const broken = ['10.0.0.0/33', '::1/129', '10.0.0.0/8/8', '10.0.0.0/', '10.0.0', '10.0.0.0/255.0.0.0', 'fe80::1%lo']
  await expectRefused(t, 'TRUSTED_PROXIES', [...everyone, ...counts, ...broken])
  const compose = await readFile(new URL('../compose.yaml', import.meta.url), 'utf8')
  t.match(compose, /^ {6}TRUSTED_PROXIES: \$\{TRUSTED_PROXIES:-\}$/m, 'compose passes it to the server')
})

t.test('PASSWORD_BREACH_URL accepts https, and http on loopback only', async (t) => {
  for (const url of [
    'https://ranges.example/range',
    'http://127.0.0.1:8080/range',
    'http://[::1]:8080/r',
    'http://localhost/r',
  ]) {
    t.equal((await readConfig({ ...external, PASSWORD_BREACH_URL: url })).passwordBreachUrl, url)
  }
  const credentials = ['https://ann:secret@ranges.example/range', 'https://@ranges.example/range']
  const urls = [
    'http://ranges.example/range',
    'https://ranges.example/range/',
    'https://ranges.example/r?a=b',
    'file:///r',
  ]
  await expectRefused(t, 'PASSWORD_BREACH_URL', [
    ...credentials,
    ...urls,
    'ranges.example',
    'https://ranges.example/r#a',
  ])
})

t.test('RESERVED_USERNAMES are usernames, comma-separated', async (t) => {
  const value = 'mayor, Town_Hall,x'
  const { reservedUsernames } = await readConfig({ ...external, RESERVED_USERNAMES: value })
  t.same(reservedUsernames, ['mayor', 'Town_Hall', 'x'])
  await expectRefused(t, 'RESERVED_USERNAMES', ['town hall', 'mayor;x', 'bürgermeister', 'a,b-c', 'x'.repeat(31)])
})

t.test('MONGODB_URI requires a host and refuses credentials in every form', async (t) => {
  for (const uri of [
    'mongodb://localhost',
    'mongodb://a.example:27017,b.example:27018/rookery?replicaSet=rs&tls=true',
    'mongodb+srv://cluster.example/rookery?retryWrites=true&w=majority',
    'mongodb://[::1]:27017/?authSource=users',
  ]) {
    const { database, secrets: read } = await readConfig({ ...external, MONGODB_URI: uri, DB_USER: 'alice' })
    t.match(
      { database, secrets: read },
      { database: { kind: 'external', uri }, secrets: { database: { username: 'alice' } } },
    )
  }
  await expectRefused(t, 'MONGODB_URI', ['localhost:27017', 'http://localhost', 'mongodb:localhost', 'mongodb:///x'])
  for (const credentials of [
    'me:hunter2secret',
    'me:hunter2/secret',
    'me:hunter2?secret',
    'hunter2secret',
    'me:hunter2#',
  ])
    for (const scheme of ['mongodb', 'mongodb+srv']) {
      const faults = await faultsOf(t, { ...external, MONGODB_URI: `${scheme}://${credentials}@db.example/rookery` })
      t.match(faults, [/^MONGODB_URI must not contain credentials: set DB_USER and DB_PASSWORD/])
      t.notMatch(faults.join(), /hunter2/)
    }
  for (const option of ['journal=false', 'readConcernLevel=local', 'wtimeoutMS=1', 'READCONCERNLEVEL=local'])
    t.match(await faultsOf(t, { ...external, MONGODB_URI: `mongodb://a/?x=1&${option}` }), [
      /^MONGODB_URI must not set/,
    ])
})

t.test('an unknown limit is refused, and an empty variable counts as unset', async (t) => {
  t.match(await faultsOf(t, { ...external, LIMIT_SIGNUPS: '5' }), [
    'LIMIT_SIGNUPS is not a known limit: see env.sample',
  ])
  const empty = { PORT: '', COOKIE_SECURE: '', PUBLIC_ORIGIN: '', LIMIT_OLD: '', DB_PASSWORD_FILE: '' }
  t.same(await readConfig({ ...external, ...empty }), await readConfig(external))
})

t.test('SERVICES names one service or both, in any order', async (t) => {
  const both = (config: Config) => config.services.join() === 'accounts,posts'
  await expectAccepted(t, 'SERVICES', {
    accounts: ({ services }) => services.join() === 'accounts',
    'accounts,posts': both,
    ' posts, accounts,': both,
    'accounts,accounts': ({ services }) => services.join() === 'accounts',
  })
  await expectRefused(t, 'SERVICES', ['accounts;posts', 'Posts', ',', 'timeline', 'posts,timeline'])
})

t.test('SERVICES=posts needs public keys, and refuses any key that signs', async (t) => {
  const { JWT_SIGN_KEY, ...rest } = { ...external, SERVICES: 'posts' }
  const key = ed25519Key('one')
  const ring = (keys: KeyRing) => ({ ...rest, JWT_SIGN_KEYS: serializeKeyRing(keys) })
  t.match((await readConfig(ring([publicKey(key)]))).secrets.signKeys, [{ kid: 'one', x: key.x, d: undefined }])
  t.match(await faultsOf(t, rest), [/^JWT_SIGN_KEYS is required with SERVICES=posts: .* npm run keys -- public/])
  t.match(await faultsOf(t, { ...secrets, SERVICES: 'posts' }), [/^SERVICES=posts verifies .* is a symmetric key/])
  for (const [env, kind] of [
    [{ ...rest, JWT_SIGN_KEY }, 'symmetric'],
    [ring([symmetricKey('two')]), 'symmetric'],
    [ring([publicKey(key), ed25519Key('two')]), 'private'],
  ] as const) {
    const faults = await faultsOf(t, env)
    t.match(faults, [new RegExp(`^SERVICES=posts verifies with public keys only: .* is a ${kind} key`)])
    t.notMatch(faults.join(), JWT_SIGN_KEY)
  }
})

t.test('the configuration is deeply frozen', async (t) => {
  const lists = { TRUSTED_PROXIES: '10.0.0.0/8', PASSWORD_PEPPER: 'a:salt and vinegar' }
  const config = await readConfig({ ...production, ...lists })
  const parts = [
    config,
    config.services,
    config.database,
    config.metrics,
    config.log,
    config.limits,
    config.trustedProxies,
  ]
  for (const part of [
    ...parts,
    config.publicOrigins,
    config.secrets,
    config.secrets.peppers,
    ...config.secrets.peppers,
  ])
    t.ok(Object.isFrozen(part), JSON.stringify(part))
})
