import { createPrivateKey, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  findSigningFaults,
  findVerifyingFaults,
  type KeyRing,
  ringOfOne,
  signingKey,
} from '../../src/secrets/key-ring.ts'
import { parseKeyRing } from '../../src/secrets/parse-key-ring.ts'
import { ed25519Key, publicKey, secondsFromNow, symmetricKey } from './rings.ts'

const secret = randomBytes(32).toString('hex')
const signFrom = '2026-11-28T10:00:00Z'
const { x, d } = ed25519Key('a')
const jwk = { kty: 'OKP', crv: 'Ed25519', x, d }
const entry = { kid: 'a', signFrom, key: secret }

function faultsOf(t: Test, ring: unknown, text = JSON.stringify(ring)): string[] {
  const faults: string[] = []
  t.equal(parseKeyRing(text, faults), undefined, text)
  for (const part of [secret, d, x, 'hunter2']) t.notMatch(faults.join('\n'), part, 'no fault contains key material')
  for (const fault of faults) t.match(fault, /^JWT_SIGN_KEYS /)
  return faults
}

function parsed(t: Test, entries: unknown): KeyRing | undefined {
  const faults: string[] = []
  const ring = parseKeyRing(JSON.stringify(entries), faults)
  t.same(faults, [])
  return ring
}

t.test('a ring has secrets for HS256 and Ed25519 keys, private or public, and survives structuredClone', async (t) => {
  const entries = [
    entry,
    { kid: 'A', signFrom: '2026-11-28T10:00:00.250Z', key: jwk },
    { kid: `${'k'.repeat(61)}._-`, signFrom, key: { ...jwk, d: undefined } },
  ]
  const ring = parsed(t, entries)
  const at = new Date(signFrom)
  t.same(ring, [
    { kid: 'a', signFrom: at, algorithm: 'HS256', secret },
    { kid: 'A', signFrom: new Date(at.getTime() + 250), algorithm: 'EdDSA', x, d },
    { kid: `${'k'.repeat(61)}._-`, signFrom: at, algorithm: 'EdDSA', x, d: undefined },
  ])
  t.same(structuredClone(ring), ring)
  t.same(parsed(t, []), [])
})

t.test('a ring that is not a JSON array of {kid, signFrom, key} is refused with the entry’s number', async (t) => {
  for (const text of ['', 'hunter2', '{"a":"hunter2"}', 'null', '[{"key":"hunter2"', '"hunter2"'])
    t.same(faultsOf(t, undefined, text), ['JWT_SIGN_KEYS must be a JSON array of objects with kid, signFrom and key'])
  const shape = /^JWT_SIGN_KEYS entry 2: must be an object with exactly kid, signFrom and key$/
  for (const other of [null, 'hunter2', 7, ['hunter2']]) t.match(faultsOf(t, [entry, other]), [shape])
  t.match(faultsOf(t, [{ ...entry, hunter2: 1 }]), [/entry 1 \(kid a\): must be an object with exactly/])
})

t.test('a kid has 1 to 64 characters of A–Z, a–z, 0–9, ., _ and -, and is unique', async (t) => {
  for (const kid of ['', 'k'.repeat(65), 'hunter2/b', 'hunter2 b', 'ä', 7, null, undefined])
    t.match(faultsOf(t, [{ ...entry, kid }]), [/^JWT_SIGN_KEYS entry 1: kid must have 1 to 64 characters of /])
  t.same(faultsOf(t, [entry, { ...entry, kid: 'b' }, { ...entry, key: jwk }]), [
    'JWT_SIGN_KEYS entry 3 (kid a): repeats the kid of entry 1',
  ])
})

t.test('signFrom is a time in UTC (RFC 3339)', async (t) => {
  const times = ['2026-11-28', '2026-11-28T10:00Z', '2026-11-28T10:00:00+01:00', '2026-11-28T10:00:00']
  for (const signFrom of [...times, '2026-02-30T10:00:00Z', 'hunter2', 1_764_324_000, undefined])
    t.match(faultsOf(t, [{ ...entry, signFrom }]), [
      /^JWT_SIGN_KEYS entry 1 \(kid a\): signFrom must be a time in UTC /,
    ])
})

t.test('a secret is checked as JWT_SIGN_KEY is, and must not be a reference', async (t) => {
  const start = /^JWT_SIGN_KEYS entry 2 \(kid b\): key /
  const refused: [key: string, why: RegExp][] = [
    ['hunter2', /key must be at least 32 bytes/],
    ['hunter2'.repeat(9), /key must have at least 12 different characters/],
    ['your-256-bit-secret-your-256-bit-secret', /key is printed in public documents/],
    ['vault:secret/hunter2-with-a-long-path#and-field', /key must be the key itself/],
    ['arn:aws:secretsmanager:eu-west-1:1:secret:hunter2', /key must be the key itself/],
  ]
  for (const [key, why] of refused) {
    const faults = faultsOf(t, [entry, { ...entry, kid: 'b', key }])
    t.equal(faults.length, 1)
    t.match(faults[0], start)
    t.match(faults[0], why)
  }
})

t.test('a JWK is of Ed25519, complete and strict, and its x belongs to its d', async (t) => {
  const rule = /^JWT_SIGN_KEYS entry 1 \(kid a\): key must be a secret, or an Ed25519 JWK with exactly /
  const refused: unknown[] = [
    { ...jwk, crv: 'Ed448' },
    { ...jwk, crv: 'X25519' },
    { ...jwk, kty: 'EC' },
    { ...jwk, x: undefined },
    { ...jwk, x: `${x}A` },
    { ...jwk, x: x.slice(1) },
    { ...jwk, x: `${x}=` },
    { ...jwk, d: 'hunter2' },
    { ...jwk, d: null },
    { ...jwk, hunter2: 'x' },
    { kty: 'oct', k: 'hunter2' },
    [jwk],
    7,
    undefined,
  ]
  for (const key of refused) t.match(faultsOf(t, [{ ...entry, key }]), [rule])
  const other = ed25519Key('b')
  t.match(faultsOf(t, [{ ...entry, key: { ...jwk, x: other.x } }]), [/key must have the x that belongs to its d/])
  const der = 'MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC'
  const key = createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' })
  const printed = key.export({ format: 'jwk' })
  t.match(faultsOf(t, [{ ...entry, key: printed }]), [/key is printed in public documents/], 'the example of jwt.io')
})

t.test('faults of several entries are all reported', async (t) => {
  const faults = faultsOf(t, [{ ...entry, kid: '', signFrom: 'x' }, entry, { ...entry, kid: 'c', key: 'short' }])
  t.match(faults, [/entry 1: kid /, /entry 1: signFrom /, /entry 3 \(kid c\): key /])
})

t.test('the newest key whose signFrom has passed signs, if it is a secret or private', async (t) => {
  const now = new Date()
  const [old, current] = [symmetricKey('old'), ed25519Key('current', secondsFromNow(-60))]
  const next = ed25519Key('next', secondsFromNow(90))
  const ring = [next, current, old]
  t.equal(signingKey(ring, now), current)
  t.equal(signingKey(ring, secondsFromNow(120)), next)
  t.equal(signingKey([publicKey(current), old], now), old)
  t.equal(signingKey([next, publicKey(current)], now), undefined)
  t.equal(signingKey([], now), undefined)
  const twin = { ...current, kid: 'twin' }
  t.equal(signingKey([current, twin], now), twin, 'of two with the same time, the later one in the ring')
})

t.test('on a server whose clock is up to a minute late, a ring without an older key signs', async (t) => {
  const now = new Date()
  const [soon, later] = [ed25519Key('soon', secondsFromNow(30)), ed25519Key('later', secondsFromNow(45))]
  t.equal(signingKey([later, soon], now), soon)
  t.same(findSigningFaults([soon], now), [])
  const old = symmetricKey('old')
  t.equal(signingKey([soon, old], now), old, 'other servers may not have the newer keys yet')
})

t.test('JWT_SIGN_KEY is a ring of one that signs at once, and its kid depends on the key alone', async (t) => {
  const ring = ringOfOne(secret)
  t.match(ring, [{ kid: /^[\w-]{8}$/, algorithm: 'HS256', secret }])
  t.equal(signingKey(ring, new Date()), ring[0])
  t.same(ringOfOne(secret), ring)
  t.not(ringOfOne(`${secret}x`)[0]?.kid, ring[0]?.kid)
})

t.test('a ring that cannot sign now is a fault where tokens are issued', async (t) => {
  const now = new Date()
  t.same(findSigningFaults([symmetricKey('a'), publicKey(ed25519Key('b'))], now), [])
  t.match(findSigningFaults([], now), [/^JWT_SIGN_KEYS has no key: /])
  t.match(findSigningFaults([publicKey(ed25519Key('b'))], now), [/^JWT_SIGN_KEYS has public keys only/])
  t.match(findSigningFaults([symmetricKey('a', secondsFromNow(90))], now), [/^JWT_SIGN_KEYS has no key that signs now/])
})

t.test('a ring with a symmetric or private key is a fault where tokens are only verified', async (t) => {
  const ring = [ed25519Key('private-one'), publicKey(ed25519Key('public-one')), symmetricKey('secret-one')]
  const start = /^SERVICES=posts verifies with public keys only: .*npm run keys -- public/
  const faults = findVerifyingFaults(ring)
  for (const fault of faults) t.match(fault, start)
  t.match(faults, [/\(kid private-one is a private key\)$/, /\(kid secret-one is a symmetric key\)$/])
  t.equal(faults.length, 2)
  t.same(findVerifyingFaults([publicKey(ed25519Key('a'))]), [])
  t.match(findVerifyingFaults([]), [/^SERVICES=posts /])
})
