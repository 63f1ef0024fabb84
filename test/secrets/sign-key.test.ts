import { generateKeyPairSync, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { external, faultsOf } from '../config/faults.ts'

async function expectRefused(t: Test, key: string, why: RegExp): Promise<void> {
  const faults = await faultsOf(t, { ...external, JWT_SIGN_KEY: key })
  t.equal(faults.length, 1, 'one fault')
  t.match(faults[0], why)
  t.notOk(faults[0]?.includes(key), 'the fault does not contain the key')
}

const expectAccepted = async (t: Test, key: string) =>
  t.match((await readConfig({ ...external, JWT_SIGN_KEY: key })).secrets.signKeys, [{ secret: key }], key)

t.test('a key has at least 32 bytes, however many characters', async (t) => {
  await expectAccepted(t, 'abcdefghijklmnopqrstuvwxyz-12345')
  await expectRefused(t, 'abcdefghijklmnopqrstuvwxyz-1234', /^JWT_SIGN_KEY must be at least 32 bytes: .*openssl rand/)
  await expectAccepted(t, 'äbcdëfghïjklmnöpqrstüvwxyz1')
  await expectRefused(t, 'äbcdëfghïjklmnöpqrstüvwxyz', /32 bytes/)
})

t.test('a key has at least 12 different characters', async (t) => {
  await expectRefused(t, 'abcdefghijk'.repeat(10), /^JWT_SIGN_KEY must have at least 12 different characters: /)
  await expectAccepted(t, 'abcdefghijkl'.repeat(3))
  await expectRefused(t, '🔑'.repeat(40), /12 different/)
})

t.test('keys printed in public documents are refused', async (t) => {
  for (const key of [
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'a-string-secret-at-least-256-bits-long',
    '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
  ])
    await expectRefused(t, key, /^JWT_SIGN_KEY is printed in public documents/)
})

t.test(
  'a ring, a JWK or PEM is refused: the text of a public key would be a secret that everybody knows',
  async (t) => {
    const { publicKey } = generateKeyPairSync('ed25519')
    const jwk = publicKey.export({ format: 'jwk' })
    for (const key of [
      publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      JSON.stringify(jwk),
      JSON.stringify([{ kid: 'a', signFrom: '2026-11-28T10:00:00Z', key: jwk }], null, 2),
    ])
      await expectRefused(t, key, /^JWT_SIGN_KEY must be the secret itself, not JSON or PEM: /)
  },
)

t.test('200 keys from openssl rand -hex 32 are accepted', async (t) => {
  for (let attempt = 0; attempt < 200; attempt++)
    await readConfig({ ...external, JWT_SIGN_KEY: randomBytes(32).toString('hex') }).catch((error) => t.fail(error))
  t.pass('none is refused')
})
