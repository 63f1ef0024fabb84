import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import t from 'tap'
import { defaultOrigins, type Environment, readConfig, variableNames } from '../src/config.ts'
import { production, secrets } from './config/faults.ts'

const sample = await readFile(new URL('../env.sample', import.meta.url), 'utf8')

/** Each variable of the sample with its default and the comment above it. */
const entries = [...sample.matchAll(/((?:^# .*\n)*?)^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(
  ([, comment = '', name = '', value = '']) => ({ comment, name, value }),
)

t.test('env.sample lists every variable that is read, once, and no other', async (t) => {
  t.same(entries.map(({ name }) => name).sort(), [...variableNames].sort())
})

t.test('copied as it is, it sets nothing', async (t) => {
  t.same(parseEnv(sample), {})
})

t.test('its values are the defaults', async (t) => {
  const uncommented: Environment = Object.fromEntries(entries.map(({ name, value }) => [name, value]))
  const { publicOrigins, ...config } = await readConfig({ ...uncommented, ...secrets })
  const { publicOrigins: _, ...defaults } = await readConfig(secrets)
  t.same(config, defaults)
  t.same(new Set(publicOrigins), new Set(defaultOrigins(config.host, config.port)))
  t.same(
    entries.filter(({ value }) => value === '').map(({ name }) => name),
    ['TRUSTED_PROXIES', 'MONGODB_URI', 'DB_PASSWORD', 'MONGOD_BINARY', 'JWT_SIGN_KEY', 'PASSWORD_PEPPER'],
    'only what has no default has no value',
  )
})

t.test('what it says of production is so, and it says all', async (t) => {
  const said = entries.flatMap(({ name, comment }) => {
    const value = /In production: (\w+)/.exec(comment)?.[1]
    return value === undefined ? [] : [[name, value]]
  })
  const expected = await readConfig(production)
  t.same(await readConfig({ ...production, ...Object.fromEntries(said) }), expected)
  const others = entries.filter(({ name, value }) => value !== '' && !said.some(([other]) => other === name))
  const kept = Object.fromEntries(others.map(({ name, value }) => [name, value]))
  t.same(await readConfig({ ...kept, ...production }), expected, 'the rest is as in development')
})
