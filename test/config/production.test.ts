import t from 'tap'
import { readConfig } from '../../src/config.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { external, faultsOf, production } from './faults.ts'

t.test('DB_PASSWORD and JWT_SIGN_KEY are required with MONGODB_URI and in production', async (t) => {
  const { MONGODB_URI } = external
  t.match(await faultsOf(t, { MONGODB_URI }), [
    /^DB_PASSWORD is required with MONGODB_URI: /,
    /^JWT_SIGN_KEY is required/,
  ])
  t.match(await faultsOf(t, { NODE_ENV: 'production', COOKIE_SECURE: 'false' }), [
    /^DB_PASSWORD is required in production: /,
    /^JWT_SIGN_KEY is required in production/,
    /^MONGODB_URI or DATA_DIR is required in production: /,
  ])
  t.match(await faultsOf(t, { MONGODB_URI, DB_PASSWORD: '', JWT_SIGN_KEY: '' }), [/^DB_PASSWORD/, /^JWT_SIGN_KEY/])
})

t.test('production refuses a low bcrypt cost and cookies that browsers would drop or expose', async (t) => {
  const faults = (env: Environment) => faultsOf(t, { ...production, ...env })
  t.match(await faults({ PUBLIC_ORIGIN: '' }), [/^PUBLIC_ORIGIN is required in production with COOKIE_SECURE/])
  t.match(await faults({ BCRYPT_COST: '9' }), [/^BCRYPT_COST must be at least 10 in production$/])
  t.equal((await readConfig({ ...production, BCRYPT_COST: '10' })).bcryptCost, 10)
  t.match(await faults({ PUBLIC_ORIGIN: 'http://rookery.example' }), [
    /^COOKIE_SECURE is true and PUBLIC_ORIGIN has no/,
  ])
  t.match(await faults({ COOKIE_SECURE: 'false' }), [/^COOKIE_SECURE is false and every PUBLIC_ORIGIN is https/])
  const plain = { COOKIE_SECURE: 'false', PUBLIC_ORIGIN: 'http://127.0.0.1:5000,http://localhost:5000' }
  for (const env of [plain, { COOKIE_SECURE: 'false', PUBLIC_ORIGIN: '' }, { PUBLIC_ORIGIN: 'http://localhost:5000' }])
    await t.resolves(readConfig({ ...production, ...env }), JSON.stringify(env))
})

t.test('production refuses plain http beyond this machine, unless ALLOW_INSECURE_COOKIES is true', async (t) => {
  const secret = { ...production, COOKIE_SECURE: 'false' }
  for (const PUBLIC_ORIGIN of [
    'http://rookery.example',
    'http://127.0.0.1:5000,http://10.1.2.3:5000',
    'http://[::1]:5000,http://[fe80::1]:5000',
    'http://localhost:5000,https://rookery.example',
    'http://localhost.example',
  ]) {
    t.match(
      await faultsOf(t, { ...secret, PUBLIC_ORIGIN }),
      [/^COOKIE_SECURE is false and PUBLIC_ORIGIN is not on this machine/],
      PUBLIC_ORIGIN,
    )
    await t.resolves(readConfig({ ...secret, PUBLIC_ORIGIN, ALLOW_INSECURE_COOKIES: 'true' }), PUBLIC_ORIGIN)
    const isDevelopment = { ...secret, PUBLIC_ORIGIN, NODE_ENV: 'development' }
    await t.resolves(readConfig(isDevelopment), PUBLIC_ORIGIN)
  }
  const allowed = { ...secret, ALLOW_INSECURE_COOKIES: 'true' }
  t.match(await faultsOf(t, allowed), [/^COOKIE_SECURE is false and every PUBLIC_ORIGIN is https/])
})

t.test('all faults are reported at once, one line each, without a secret', async (t) => {
  const env = {
    NODE_ENV: 'production',
    PORT: 'x1x1x',
    COOKIE_SECURE: 'maybe',
    LIMIT_POSTS_A_DAY: '3',
    BCRYPT_COST: '2',
  }
  const faults = await faultsOf(t, {
    ...env,
    MONGODB_URI: 'mongodb://me:hunter2secret@x',
    JWT_SIGN_KEY: 'too-short-key',
  })
  const names = [
    'BCRYPT_COST',
    'COOKIE_SECURE',
    'DB_PASSWORD',
    'JWT_SIGN_KEY',
    'LIMIT_POSTS_A_DAY',
    'MONGODB_URI',
    'PORT',
  ]
  for (const name of names) t.equal(faults.filter((line) => line.startsWith(`${name} `)).length, 1, name)
  t.notMatch(faults.join('\n'), /hunter2|too-short|x1x1x|maybe/)
})

t.test('a fault neither hides another nor causes a false one', async (t) => {
  const env = { ...production, PORT: 'x' }
  t.match(await faultsOf(t, { ...env, BCRYPT_COST: '9' }), [/^PORT /, /^BCRYPT_COST must be at least 10/])
  const unnamed = { ...env, PUBLIC_ORIGIN: '', COOKIE_SECURE: 'false' }
  t.match(await faultsOf(t, unnamed), [/^PORT /], 'COOKIE_SECURE=false still applies')
})
