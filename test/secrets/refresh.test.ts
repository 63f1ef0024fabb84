import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { createLogger } from '../../src/operations/logging.ts'
import { secretRefresh } from '../../src/secrets/refresh.ts'
import type { Secrets } from '../../src/secrets/secrets.ts'
import { external } from '../config/faults.ts'
import { eventually } from '../eventually.ts'

const { DB_PASSWORD: _, ...others } = external

/** A refresh of the secrets of a configuration whose database password is in a file. */
async function refreshing(t: Test, env: Environment = {}) {
  const root = t.testdir({ password: 'the first password', peppers: 'a:1234567890-abcdefgh' })
  const { config, texts, reader } = await loadConfig({ ...others, DB_PASSWORD_FILE: 'password', ...env }, root)
  const applied: Secrets[] = []
  const lines: string[] = []
  const refresh = secretRefresh({
    reader,
    texts,
    rules: config,
    intervalSeconds: config.secretsRefreshSeconds,
    apply: async (secrets) => void applied.push(secrets),
    // The server's logger, which redacts some members.
    log: createLogger({ level: 'info', readable: false }, { write: (line) => void lines.push(line) }),
  })
  t.teardown(() => refresh.close())
  const write = (name: string, text: string) => writeFile(join(root, name), text)
  return { refresh, applied, lines, write, last: () => applied.at(-1) }
}

t.test('a file is read again at SIGHUP, and its new text serves', async (t) => {
  const { refresh, write, last } = await refreshing(t)
  await refresh.refresh('signal')
  t.equal(last()?.database.password, 'the first password')
  await write('password', 'the second password\n')
  await refresh.refresh('signal')
  t.equal(last()?.database.password, 'the second password')
})

t.test('a file is read again every SECRETS_REFRESH_SECONDS', async (t) => {
  const { write, last } = await refreshing(t, { SECRETS_REFRESH_SECONDS: '1' })
  await write('password', 'the second password')
  await eventually(() => last()?.database.password === 'the second password')
  t.pass()
})

t.test('while a secret cannot be read its last value serves, its age rises, and one line says so', async (t) => {
  const { refresh, lines, write, last } = await refreshing(t)
  const age = () => refresh.ages()[0]?.seconds ?? 0
  await write('password', '')
  await refresh.refresh('signal')
  const before = age()
  await refresh.refresh('signal')
  t.ok(age() > before, 'the age rises')
  t.equal(last()?.database.password, 'the first password')
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      {
        variable: 'DB_PASSWORD',
        reason: 'DB_PASSWORD_FILE names an empty file: write the secret to it',
        msg: 'secret cannot be read, the last value serves',
      },
    ],
  )
  await write('password', 'the second password')
  const begunAt = performance.now()
  await refresh.refresh('signal')
  t.equal(last()?.database.password, 'the second password')
  t.match(JSON.parse(lines[1] ?? '{}'), { variable: 'DB_PASSWORD', msg: 'secret can be read again' })
  t.ok(age() <= (performance.now() - begunAt) / 1_000, 'the age starts again')
})

t.test('a faulty new value is refused by itself, and the other secrets change', async (t) => {
  const { refresh, lines, write, last } = await refreshing(t, { PASSWORD_PEPPER_FILE: 'peppers' })
  await Promise.all([write('peppers', 'hunter2'), write('password', 'the second password')])
  await refresh.refresh('signal')
  t.match(last(), { database: { password: 'the second password' }, peppers: [{ id: 'a' }] })
  t.equal(lines.length, 1)
  t.match(lines[0], /"variable":"PASSWORD_PEPPER".*entry 1 does not have this form/)
  t.notMatch(lines[0], /hunter2/)
})

t.test('an unknown key is a reason to read once in 10 s, a refused database user once in 5 s', async (t) => {
  const { refresh, applied } = await refreshing(t)
  for (let count = 0; count < 50; count += 1) await refresh.refresh('unknown-key')
  t.equal(applied.length, 1)
  await Promise.all(Array.from({ length: 50 }, () => refresh.refresh('database-refused')))
  t.equal(applied.length, 2)
})

t.test('one read serves all reasons that arrive before it begins, and none begins after the end', async (t) => {
  const root = t.testdir({ password: 'the first password' })
  const { config, texts, reader } = await loadConfig({ ...others, DB_PASSWORD_FILE: 'password' }, root)
  const reads: (boolean | undefined)[] = []
  const counting: typeof reader = {
    ...reader,
    read(names, options) {
      reads.push(options?.fresh)
      return reader.read(names, options)
    },
  }
  const log = pino({ level: 'silent' })
  const parts = { reader: counting, texts, rules: config, intervalSeconds: 0, log }
  const refresh = secretRefresh({ ...parts, apply: async () => {} })
  await refresh.refresh('signal')
  const reasons = ['signal', 'lease-due', 'database-refused', 'signal', 'unknown-key', 'lease-due'] as const
  await Promise.all(reasons.map((reason) => refresh.refresh(reason)))
  t.same(reads, [false, true], 'the credentials are fresh if one reason requires it')
  const last = refresh.refresh('signal')
  refresh.close()
  await last
  await refresh.refresh('signal')
  t.equal(reads.length, 2)
})

t.test('without a secret from a file or a manager nothing is read again', async (t) => {
  const { config, texts, reader } = await loadConfig(external, '/')
  const apply = () => Promise.reject(new Error('applied'))
  const log = pino({ level: 'silent' })
  const refresh = secretRefresh({ reader, texts, rules: config, intervalSeconds: 1, apply, log })
  await refresh.refresh('signal')
  t.same(refresh.ages(), [])
  refresh.close()
})
