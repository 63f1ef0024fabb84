import t from 'tap'
import {
  generateKey,
  remove,
  retire,
  rotate,
  serializeKeyRing,
  stateOf,
  toPublicRing,
} from '../../src/secrets/change-key-ring.ts'
import type { KeyRing } from '../../src/secrets/key-ring.ts'
import { parseKeyRing } from '../../src/secrets/parse-key-ring.ts'
import { ed25519Key, publicKey, symmetricKey } from './rings.ts'

const now = new Date()
const life = 960
const secondsFromNow = (seconds: number) => new Date(now.getTime() + seconds * 1_000)
const kidsOf = (ring: KeyRing) => ring.map(({ kid }) => kid)
const statesOf = (ring: KeyRing, at = now) => ring.map((key) => stateOf(key, ring, at, life))

t.test('generated keys are different, and their ring is read as it was written', async (t) => {
  const ring = [generateKey('EdDSA', now), generateKey('HS256', now), generateKey('EdDSA', now)]
  t.equal(new Set(kidsOf(ring)).size, 3)
  const faults: string[] = []
  t.same(parseKeyRing(serializeKeyRing(ring), faults), ring)
  t.same(faults, [])
  t.notMatch(serializeKeyRing(ring), '\n')
})

t.test('a rotation adds a key of the newest one’s algorithm, or of another on request', async (t) => {
  const signFrom = secondsFromNow(600)
  const [secret, ed] = [symmetricKey('secret'), ed25519Key('ed', secondsFromNow(-60))]
  const { ring, added } = rotate([ed, secret], signFrom)
  t.same(ring, [ed, secret, added])
  t.match(added, { algorithm: 'EdDSA', signFrom })
  t.equal(rotate([secret], signFrom).added.algorithm, 'HS256')
  t.equal(rotate([secret], signFrom, 'EdDSA').added.algorithm, 'EdDSA')
  t.throws(() => rotate([publicKey(ed)], signFrom), /rotate the ring with the private keys/)
})

t.test('a key is retirable once a newer one has signed for longer than a token lives', async (t) => {
  const ring = [
    ed25519Key('oldest', secondsFromNow(-9_000)),
    ed25519Key('old', secondsFromNow(-5_000)),
    ed25519Key('current', secondsFromNow(-life)),
    ed25519Key('next', secondsFromNow(600)),
  ]
  t.same(statesOf(ring), ['retirable', 'verifies', 'signs', 'next'])
  t.same(kidsOf(retire(ring, now, life)), ['old', 'current', 'next'])
  const later = secondsFromNow(1)
  t.same(statesOf(ring, later), ['retirable', 'retirable', 'signs', 'next'])
  t.same(kidsOf(retire(ring, later, life)), ['current', 'next'])
  t.same(kidsOf(retire(retire(ring, later, life), later, life)), ['current', 'next'])
})

t.test('a newer public key does not supersede the key that signs', async (t) => {
  const ring = [ed25519Key('signs', secondsFromNow(-9_000)), publicKey(ed25519Key('foreign', secondsFromNow(-5_000)))]
  t.same(statesOf(ring), ['signs', 'verifies'])
})

t.test('in a ring of public keys, each supersedes the one before from its time on', async (t) => {
  const times = [-9_000, -5_000, -100, 600].map((seconds) => secondsFromNow(seconds))
  const ring = times.map((time, index) => publicKey(ed25519Key(`k${index}`, time)))
  t.same(statesOf(ring), ['retirable', 'verifies', 'verifies', 'next'])
})

t.test('a leaked key is removed at once, unless no other one signs', async (t) => {
  const [old, current] = [ed25519Key('old'), ed25519Key('current', secondsFromNow(-60))]
  const next = ed25519Key('next', secondsFromNow(600))
  t.same(remove([old, current, next], 'current', now), [old, next])
  t.same(remove([current, next], 'next', now), [current])
  t.throws(() => remove([current, next], 'current', now), /^The key current is the only one that signs: /)
  t.throws(() => remove([next], 'next', now), /^The key next is the only one of the ring/)
  t.throws(() => remove([current], 'else', now), /no key with this kid/)
  t.same(kidsOf(remove([publicKey(old), publicKey(current)], 'current', now)), ['old'])
})

t.test('a public ring has no private part, and a symmetric key has none that is public', async (t) => {
  const ring = [ed25519Key('a'), ed25519Key('b')]
  const text = serializeKeyRing(toPublicRing(ring))
  for (const { d, x } of ring) {
    t.notMatch(text, d)
    t.match(text, x)
  }
  t.throws(() => toPublicRing([...ring, symmetricKey('secret')]), /^The key secret is symmetric /)
})
