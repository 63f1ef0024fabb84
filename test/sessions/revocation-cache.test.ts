import { UUID } from 'mongodb'
import t from 'tap'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { transactor } from '../../src/database/transaction.ts'
import { revocationCache, revocationIndexes } from '../../src/sessions/revocation-cache.ts'
import { freshDatabase } from '../helper.ts'
import { clocks } from './clocks.ts'

const revocationMs = 960_000

t.test('the revocation cache', async (t) => {
  const { db, client } = await freshDatabase(t)
  const transact = transactor(client)
  const collection = db.collection<{ _id: UUID; until: Date }>('revocations')
  const id = () => new UUID()

  t.test('an empty cache, and one older than 800 ms, asks the database', async (t) => {
    const { forward } = clocks(t)
    const { isLive, markCurrentAsOf, markStale } = revocationCache(db)
    const session = id().toString()
    t.equal(isLive(session), undefined)
    markCurrentAsOf(performance.now() - 801)
    t.equal(isLive(session), undefined)
    markCurrentAsOf(performance.now())
    t.equal(isLive(session), true)
    markCurrentAsOf(performance.now() - 5_000)
    t.equal(isLive(session), true, 'a late heartbeat does not set the time back')
    markStale()
    t.equal(isLive(session), undefined)
    markCurrentAsOf(performance.now())
    forward(700)
    t.equal(isLive(session), true)
    forward(101)
    t.equal(isLive(session), undefined)
  })

  t.test('a revoked session is ended, even when the cache is stale', async (t) => {
    const { isLive, markCurrentAsOf, add, markStale } = revocationCache(db)
    const [revoked, other] = [id().toString(), id().toString()]
    markCurrentAsOf(performance.now())
    add(revoked, new Date(Date.now() + revocationMs))
    t.same([isLive(revoked), isLive(other)], [false, true])
    markStale()
    t.same([isLive(revoked), isLive(other)], [false, undefined])
  })

  t.test(
    'a session that this process is ending is looked up for 10 s, whether the transaction commits or not',
    async (t) => {
      const { forward } = clocks(t)
      const { isLive, markCurrentAsOf, revoke, evictExpired } = revocationCache(db)
      const [kept, undone] = [id(), id()]
      const isKnownLive = (session: UUID) => {
        markCurrentAsOf(performance.now())
        return isLive(session.toString())
      }
      await transact(async (transaction) => {
        const revoking = revoke([kept], transaction)
        t.equal(isKnownLive(kept), undefined, 'before the write is sent')
        await revoking
        await revoke([], transaction)
      })
      await t.rejects(
        transact(async (transaction) => {
          await revoke([undone], transaction)
          throw new Error('not found')
        }),
      )
      t.same([isKnownLive(kept), isKnownLive(undone)], [undefined, undefined])
      t.same(
        (await collection.find().toArray()).map(({ _id }) => _id.toString()),
        [kept.toString()],
      )
      forward(9_000)
      evictExpired()
      t.same([isKnownLive(kept), isKnownLive(undone)], [undefined, undefined], 'longer than any transaction takes')
      forward(1_001)
      evictExpired()
      t.equal(isKnownLive(undone), true, 'the aborted transaction is forgotten')
    },
  )

  t.test('in the database a session is live unless it was revoked', async (t) => {
    const { readIsLive, revoke } = revocationCache(db)
    const [revoked, other] = [id(), id()]
    await transact((transaction) => revoke([revoked], transaction))
    const sessions = [revoked, other, revoked, id()].map((session) => session.toString())
    t.same(await Promise.all(sessions.map(readIsLive)), [false, true, false, true])
  })

  t.test('a revocation is stored for 900 s plus 60 s of clock skew, with a TTL index', async (t) => {
    await ensureIndexes(db, { revocations: revocationIndexes })
    t.match(await collection.indexes(), [{}, { key: { until: 1 }, expireAfterSeconds: 0 }])
    const session = id()
    const before = Date.now()
    await transact((transaction) => revocationCache(db).revoke([session], transaction))
    const { until, ...rest } = (await collection.findOne({ _id: session })) ?? { until: new Date(0) }
    t.ok(until.getTime() >= before + revocationMs && until.getTime() <= Date.now() + revocationMs)
    t.same(Object.keys(rest), ['_id'], 'without the account')
  })

  t.test('revocations are evicted once all tokens have expired, and not before', async (t) => {
    const { forward } = clocks(t)
    const cache = revocationCache(db)
    const sessions = Array.from({ length: 1_000 }, id)
    // In the order of the change stream: one a second, every tenth from a server whose clock is a minute slow.
    const untils = sessions.map((_, n) => Date.now() + revocationMs + n * 1_000 - (n % 10 === 0 ? 60_000 : 0))
    for (const [n, session] of sessions.entries()) cache.add(session.toString(), new Date(untils[n] ?? 0))
    await transact((transaction) => cache.revoke(sessions.slice(0, 50), transaction))
    t.equal(cache.size, 1_050)
    for (let n = 0; n < 4; n += 1) {
      cache.evictExpired()
      const early = sessions.filter(
        (session, n) => (untils[n] ?? 0) > Date.now() && cache.isLive(session.toString()) !== false,
      )
      t.same(early, [], 'none too early')
      const left = untils.filter((until) => until > Date.now()).length
      t.ok(cache.size >= left && cache.size <= left + (n === 0 ? 50 : 10), `${cache.size} for ${left}`)
      forward(n === 0 ? revocationMs : 300_000)
    }
    forward(1_000_000)
    cache.evictExpired()
    t.equal(cache.size, 0)
  })

  t.test('no step of the clock evicts a revocation while a token of its session can count', async (t) => {
    const { forward } = clocks(t)
    const { now } = Date
    const atOffset = (ms: number) => {
      Date.now = () => now() + ms
    }
    for (const isAddedAhead of [true, false]) {
      const cache = revocationCache(db)
      const session = id().toString()
      const verdict = () => {
        cache.evictExpired()
        cache.markCurrentAsOf(performance.now())
        return cache.isLive(session)
      }
      // Ahead while the revocation comes, or later.
      atOffset(isAddedAhead ? 1_200_000 : 0)
      cache.add(session, new Date(now() + revocationMs))
      t.equal(verdict(), false)
      atOffset(1_200_000)
      t.equal(verdict(), false, '20 minutes ahead')
      atOffset(0)
      t.equal(verdict(), false, 'right again')
      atOffset(-1_200_000)
      forward(revocationMs + 1)
      t.equal(verdict(), false, '20 minutes behind, where its tokens have not expired')
      atOffset(0)
      t.equal(verdict(), true, 'its tokens have expired')
    }
  })
})
