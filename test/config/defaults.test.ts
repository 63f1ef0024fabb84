import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { defaultOrigins } from '../../src/http/public-origins.ts'
import { ringOfOne } from '../../src/secrets/key-ring.ts'
import { external, production, secrets } from './faults.ts'

/** The same in development and production. */
const failedCodes = { account: 20, inARow: 100 }
const failedLogins = {
  pair: 10,
  accountAndNetwork: 20,
  address: 50,
  network: 200,
  account: 100,
  device: 10,
  inARow: 100,
}

t.test('unset variables have the defaults of the contract', async (t) => {
  t.same(await readConfig(secrets, '/a/project'), {
    host: '127.0.0.1',
    port: 5000,
    processes: 1,
    publicOrigins: undefined,
    database: {
      kind: 'embedded',
      dataDir: '/a/project/.data',
      mongodBinary: undefined,
    },
    secrets: {
      database: { username: 'rookery', password: secrets.DB_PASSWORD },
      signKeys: ringOfOne(secrets.JWT_SIGN_KEY),
      peppers: [],
      totpKeys: [{ id: 'a', secret: secrets.TOTP_KEYS.slice(2) }],
      throttleKey: undefined,
      mailServer: undefined,
    },
    startPatienceSeconds: 60,
    drainSeconds: 0,
    graceSeconds: 25,
    cookieSecure: false,
    trustedProxies: [],
    metrics: { host: '127.0.0.1', port: 9464 },
    bcryptCost: 12,
    dbUser: 'rookery',
    services: ['accounts', 'posts'],
    mail: {
      kind: 'folder',
      from: { name: 'Rookery', address: 'rookery@localhost' },
      folder: '/a/project/.data/mail',
    },
    secretsRefreshSeconds: 300,
    passwordMinLength: 15,
    passwordBreachUrl: undefined,
    docs: true,
    page: true,
    reservedUsernames: [],
    usernameHoldDays: 0,
    log: { level: 'info', readable: true, security: true },
    limits: {
      signupsPerAddress: 1_000,
      signupsPerNetwork: 10_000,
      writesPerAccount: 1_000_000,
      writesPerAddress: 10_000_000,
      writesPerNetwork: 10_000_000,
      loginsPerAccount: 1_000_000,
      loginsPerAddress: 1_000_000,
      readsPerAccount: 100_000_000,
      readsPerAddress: 100_000_000,
      refreshesPerAccount: 1_000_000,
      connectionsPerAddress: 10_000,
      streamsPerAddress: 10_000,
      requestsPerSecond: 1_000_000,
      follows: 7_500,
      exportsPerAccount: 3,
      failedCodes,
      verificationsPerAccount: 5,
      resetsPerAddress: 1_000,
      resetsPerNetwork: 10_000,
      failedLogins,
    },
  })
})

t.test('production changes only the cookies, the username hold, the mails, the log and the limits', async (t) => {
  const { publicOrigins, ...rest } = await readConfig(production)
  const { publicOrigins: _, ...development } = await readConfig(external)
  t.same(rest, {
    ...development,
    drainSeconds: 5,
    cookieSecure: true,
    usernameHoldDays: 30,
    mail: { ...development.mail, kind: 'none' },
    log: { level: 'info', readable: false, security: true },
    limits: {
      signupsPerAddress: 20,
      signupsPerNetwork: 100,
      writesPerAccount: 1_000,
      writesPerAddress: 5_000,
      writesPerNetwork: 20_000,
      loginsPerAccount: 30,
      loginsPerAddress: 300,
      readsPerAccount: 30_000,
      readsPerAddress: 300_000,
      refreshesPerAccount: 1_000,
      connectionsPerAddress: 500,
      streamsPerAddress: 100,
      requestsPerSecond: 500,
      follows: 7_500,
      exportsPerAccount: 3,
      failedCodes,
      verificationsPerAccount: 5,
      resetsPerAddress: 20,
      resetsPerNetwork: 100,
      failedLogins,
    },
  })
  t.same(publicOrigins, ['https://rookery.example'])
  t.same(
    await readConfig({ ...external, NODE_ENV: 'development' }),
    await readConfig(external),
    'development is the default',
  )
})

t.test('the embedded mode generates its secrets once and keeps them', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'rookery-config-'))
  t.teardown(() => rm(root, { recursive: true }))
  const first = await readConfig({}, root)
  const [key] = first.secrets.signKeys
  t.match(key, { secret: /^[\w-]{43}$/ })
  t.match(first.secrets.database.password, /^[\w-]{43}$/)
  t.notMatch(key, { secret: first.secrets.database.password })
  t.same(await readConfig({}, root), first)
  const given = await readConfig({ DB_PASSWORD: 'given' }, root)
  t.same(
    given,
    { ...first, secrets: { ...first.secrets, database: { username: 'rookery', password: 'given' } } },
    'DB_PASSWORD replaces only the database password',
  )
  t.same(await readConfig({}, root), first, 'a given password is not stored')
})

t.test('the default origins follow the address that the server listens on', async (t) => {
  const loopback = ['http://127.0.0.1:80', 'http://localhost:80', 'http://[::1]:80'].map((name) => new URL(name).origin)
  const own = ['http://127.0.0.1:5000', 'http://localhost:5000', 'http://[::1]:5000']
  const expect = (host: string, port: number, origins: string[]) =>
    t.same(new Set(defaultOrigins(host, port)), new Set(origins), `${host}:${port}`)
  for (const host of ['127.0.0.1', 'localhost', '::1']) expect(host, 5000, own)
  expect('127.0.0.1', 80, loopback)
  t.ok(loopback.includes('http://localhost'), 'browsers omit the default port')
  expect('127.9.9.9', 5000, [...own, 'http://127.9.9.9:5000'])
  expect('0.0.0.0', 5000, [...own, 'http://0.0.0.0:5000'])
  expect('::', 5000, [...own, 'http://[::]:5000'])
  expect('192.0.2.7', 5000, ['http://192.0.2.7:5000'])
  expect('2001:DB8::7', 5000, ['http://[2001:db8::7]:5000'])
  expect('rookery.example', 80, ['http://rookery.example'])
  expect('fe80::1%eth0', 5000, [])
})
