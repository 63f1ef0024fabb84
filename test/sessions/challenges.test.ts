import t from 'tap'
import { challengeSeconds, challengeStore } from '../../src/sessions/challenges.ts'
import { freshDatabase } from '../helper.ts'

const secret = 'a secret that all processes share'
const account = '01a229ac-57e8-76c8-adb9-b361f6d57f62'

t.test('a challenge is read from its token, by every process, for its purpose only', async (t) => {
  const { db } = await freshDatabase(t)
  const { token, challenge } = challengeStore(db, secret).issue('second-factor', account)
  const elsewhere = challengeStore(db, secret)
  t.same(elsewhere.read('second-factor', [token]), challenge)
  t.equal(challenge.subject, account)
  t.equal(elsewhere.read('passkey-login', [token]), undefined)
  t.same(elsewhere.read('second-factor', ['', 'x.y.z', token]), challenge, 'among other cookies of the name')
  t.equal(challengeStore(db, 'another secret').read('second-factor', [token]), undefined)
})

t.test('a challenge that was changed in any part is none', async (t) => {
  const { db } = await freshDatabase(t)
  const challenges = challengeStore(db, secret)
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
  const challenges = challengeStore(db, secret, () => now)
  const { token } = challenges.issue('passkey-login')
  now += challengeSeconds * 1_000 - 1
  t.ok(challenges.read('passkey-login', [token]))
  now += 1
  t.equal(challenges.read('passkey-login', [token]), undefined)
})

t.test('of several uses at the same moment, in two processes, one succeeds', async (t) => {
  const { db } = await freshDatabase(t)
  const stores = [challengeStore(db, secret), challengeStore(db, secret)]
  const { challenge } = challengeStore(db, secret).issue('passkey-confirm', account)
  const outcomes = await Promise.all([...stores, ...stores].map(async (store) => (await store.use(challenge)).outcome))
  t.same(outcomes.toSorted(), ['already-used', 'already-used', 'already-used', 'used'])
})

t.test('a challenge that a transaction used is free again if the transaction is aborted', async (t) => {
  const { client, db } = await freshDatabase(t)
  const challenges = challengeStore(db, secret)
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
