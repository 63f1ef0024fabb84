import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { external, faultsOf, secrets } from '../config/faults.ts'

const a = 'a:by which the secrets of apps are encrypted'

t.test('TOTP_KEYS has entries of the form of peppers, with secrets of at least 32 bytes', async (t) => {
  const read = async (TOTP_KEYS: string) => (await readConfig({ ...external, TOTP_KEYS })).secrets.totpKeys
  t.same(await read(`${a},b:${'0123456789abcdef'.repeat(2)}`), [
    { id: 'a', secret: 'by which the secrets of apps are encrypted' },
    { id: 'b', secret: '0123456789abcdef'.repeat(2) },
  ])
  t.same(await read(''), [], 'none is no fault')
  const weak = /^TOTP_KEYS must contain secrets of at least 32 bytes and 8 different characters: entry 1 has fewer/
  t.match(await faultsOf(t, { ...external, TOTP_KEYS: `a:${'0123456789abcdef'.repeat(2).slice(1)}` }), [weak])
  t.match(await faultsOf(t, { ...external, TOTP_KEYS: 'hunter2' }), [/^TOTP_KEYS must contain id:secret/])
  t.match(await faultsOf(t, { ...external, TOTP_KEYS: `${a},${a}` }), [/each id once: entry 2 repeats/])
})

t.test('the embedded mode generates a key once; with an external database there is none', async (t) => {
  const DATA_DIR = await mkdtemp(join(tmpdir(), 'rookery-totp-'))
  t.teardown(() => rm(DATA_DIR, { recursive: true, force: true }))
  const env = { ...secrets, TOTP_KEYS: '', DATA_DIR }
  t.same((await readConfig(env, '/', { createSecrets: false })).secrets.totpKeys, [], 'a command generates none')
  t.same(await readdir(DATA_DIR), [])
  const [key, ...others] = (await readConfig(env)).secrets.totpKeys
  t.same(others, [])
  t.match(key?.id, /^generated-[0-9a-f]{8}$/)
  t.equal(key?.secret, await readFile(join(DATA_DIR, 'totp-key'), 'utf8'))
  t.notOk(key?.secret.includes(key.id.slice(-8)))
  t.same((await readConfig(env, '/', { createSecrets: false })).secrets.totpKeys, [key])
  const elsewhere = await mkdtemp(join(tmpdir(), 'rookery-totp-'))
  t.teardown(() => rm(elsewhere, { recursive: true, force: true }))
  const [other] = (await readConfig({ ...env, DATA_DIR: elsewhere })).secrets.totpKeys
  t.not(other?.id, key?.id, 'another key has another id')
  t.same((await readConfig({ ...external, TOTP_KEYS: '', DATA_DIR: elsewhere })).secrets.totpKeys, [])
})
