import t from 'tap'
import { generateKey, toPublicRing } from '../../src/secrets/change-key-ring.ts'
import { type KeyRing, ringOfOne } from '../../src/secrets/key-ring.ts'
import { challengeKeys, challengeSeconds, challengeStore } from '../../src/sessions/challenges.ts'
import { freshDatabase } from '../helper.ts'

const throttleKey = 'the throttle key, which the database may hold'
const keys =
  (ring: KeyRing = ringOfOne('a sign key that no database holds'), key = throttleKey) =>
  () =>
    challengeKeys(ring, key)
const account = '01a229ac-57e8-76c8-adb9-b361f6d57f62'

t.test('a challenge is read from its token, by every process, for its purpose only', async (t) => {
  const { db } = await freshDatabase(t)
  const { token, challenge } = challengeStore(db, keys()).issue('second-factor', account)
  const elsewhere = challengeStore(db, keys())
  t.same(elsewhere.read('second-factor', [token]), challenge)
  t.equal(challenge.subject, account)
  t.equal(elsewhere.read('passkey-login', [token]), undefined)
  t.same(elsewhere.read('second-factor', ['', 'x.y.z', token]), challenge, 'among other cookies of the name')
  const other = elsewhere.issue('second-factor')
  t.same(elsewhere.readAll('second-factor', [token, 'x', other.token]), [challenge, other.challenge])
  t.equal(challengeStore(db, keys(undefined, 'another throttle key')).read('second-factor', [token]), undefined)
})

t.test('neither the content of the database nor a sign key alone can make a challenge', async (t) => {
  const { db } = await freshDatabase(t)
  const own = challengeStore(db, keys())
  const made = [
    challengeStore(db, keys(ringOfOne('another sign key'))),
    challengeStore(db, keys(ringOfOne(throttleKey))),
    challengeStore(db, keys(undefined, '')),
    challengeStore(db, () => [Buffer.from(throttleKey)]),
  ]
  for (const store of made) t.equal(own.read('second-factor', [store.issue('second-factor', account).token]), undefined)
})

t.test('a challenge outlives the rotation of the ring, and ends with the removal of its key', async (t) => {
  const { db } = await freshDatabase(t)
  const before = generateKey('HS256', new Date(0))
  const after = generateKey('EdDSA', new Date(1))
  const { token, challenge } = challengeStore(db, keys([before])).issue('passkey-login')
  const rotated = challengeStore(db, keys([before, after]))
  t.same(rotated.read('passkey-login', [token]), challenge)
  const next = rotated.issue('passkey-login')
  t.same(challengeStore(db, keys([after])).read('passkey-login', [next.token]), next.challenge, 'the newest key issues')
  t.equal(challengeStore(db, keys([after])).read('passkey-login', [token]), undefined)
  t.throws(() => challengeStore(db, keys(toPublicRing([after]))).issue('passkey-login'), /no key/)
})

t.test('a challenge that was changed in any part is none', async (t) => {
  const { db } = await freshDatabase(t)
  const challenges = challengeStore(db, keys())
  const { token } = challenges.issue('second-factor', account)
  const parts = token.split('.')
  for (const [n, part] of parts.entries()) {
    const last = part.at(-2) === 'a' ? 'b' : 'a'
    const changed = parts.with(n, `${part.slice(0, -2)}${last}${part.slice(-1)}`).join('.')
    t.equal(challenges.read('second-factor', [changed]), undefined, `part ${n}`)
  }
  t.equal(challenges.read('second-factor', [parts.slice(0, -1).join('.')]), undefined, 'without a signature')
})

t.test('a challenge expires after five minutes', async (t) => {
  const { db } = await freshDatabase(t)
  let now = Date.now()
  const challenges = challengeStore(db, keys(), () => now)
  const { token } = challenges.issue('passkey-login')
  now += challengeSeconds * 1_000 - 1
  t.ok(challenges.read('passkey-login', [token]))
  now += 1
  t.equal(challenges.read('passkey-login', [token]), undefined)
})

t.test('of several uses of a challenge at the same moment, in two processes, one succeeds', async (t) => {
  const { db } = await freshDatabase(t)
  const stores = [challengeStore(db, keys()), challengeStore(db, keys())]
  const { challenge } = challengeStore(db, keys()).issue('passkey-confirm', account)
  const outcomes = await Promise.all([...stores, ...stores].map(async (store) => (await store.use(challenge)).outcome))
  t.same(outcomes.toSorted(), ['already-used', 'already-used', 'already-used', 'used'])
})

t.test('a challenge that a transaction used is free again if the transaction is aborted', async (t) => {
  const { client, db } = await freshDatabase(t)
  const challenges = challengeStore(db, keys())
  const { challenge } = challenges.issue('second-factor', account)
  const failed = client.withSession((session) =>
    session.withTransaction(async () => {
      await challenges.use(challenge, session)
      throw new Error('the rest failed')
    }),
  )
  await t.rejects(failed, { message: 'the rest failed' })
  t.same(await challenges.use(challenge), { outcome: 'used' })
  t.same(await challenges.use(challenge), { outcome: 'already-used' })
})
