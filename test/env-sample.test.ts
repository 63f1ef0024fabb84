import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import t from 'tap'
import { readConfig, variableNames } from '../src/config.ts'
import type { Environment } from '../src/environment/environment.ts'
import { defaultOrigins } from '../src/http/public-origins.ts'
import { production, secrets } from './config/faults.ts'

const sample = await readFile(new URL('../env.sample', import.meta.url), 'utf8')

/** Each variable of the sample with its default and the comment above it. */
const entries = [...sample.matchAll(/((?:^# .*\n)*?)^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(
  ([, comment = '', name = '', value = '']) => ({ comment, name, value }),
)

t.test('env.sample lists every variable that the server reads exactly once, and no other', async (t) => {
  t.same(entries.map(({ name }) => name).sort(), [...variableNames].sort())
})

t.test('an unchanged copy of env.sample sets no variable', async (t) => {
  t.same(parseEnv(sample), {})
})

t.test('the values in env.sample are the defaults', async (t) => {
  const uncommented: Environment = Object.fromEntries(entries.map(({ name, value }) => [name, value]))
  const { publicOrigins, ...config } = await readConfig({ ...uncommented, ...secrets })
  const { publicOrigins: _, ...defaults } = await readConfig(secrets)
  t.same(config, defaults)
  t.same(new Set(publicOrigins), new Set(defaultOrigins(config.host, config.port)))
  const keys = ['JWT_SIGN_KEY', 'JWT_SIGN_KEYS', 'PASSWORD_PEPPER', 'TOTP_KEYS', 'THROTTLE_KEY']
  t.same(
    entries.filter(({ name, value }) => value === '' && !/^(VAULT|AWS)_/.test(name)).map(({ name }) => name),
    [
      'TRUSTED_PROXIES',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'MONGODB_URI',
      'DB_PASSWORD',
      'DB_CREDENTIALS',
      'MONGOD_BINARY',
      ...keys,
      'PASSWORD_BREACH_URL',
      'RESERVED_USERNAMES',
      'SMTP_URL',
      'MAIL_FROM',
    ],
    'only variables without a default have no value, and those of secret managers',
  )
})

t.test('env.sample states every default that differs in production, and no other', async (t) => {
  const stated = entries.flatMap(({ name, comment }) => {
    const value = /In production: (\w+)/.exec(comment)?.[1]
    return value === undefined ? [] : [[name, value]]
  })
  const expected = await readConfig(production)
  t.same(await readConfig({ ...production, ...Object.fromEntries(stated) }), expected)
  const others = entries.filter(({ name, value }) => value !== '' && !stated.some(([other]) => other === name))
  const kept = Object.fromEntries(others.map(({ name, value }) => [name, value]))
  t.same(await readConfig({ ...kept, ...production }), expected, 'all other defaults are those of development')
})
