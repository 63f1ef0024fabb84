import { UUID } from 'mongodb'
import t from 'tap'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { transactor } from '../../src/database/transaction.ts'
import { revocationCache, revocationIndexes } from '../../src/sessions/revocation-cache.ts'
import { freshDatabase } from '../helper.ts'
import { clocks } from './clocks.ts'

const life = 960_000

t.test('what a process knows of sessions that ended', async (t) => {
  const { db, client } = await freshDatabase(t)
  const transact = transactor(client)
  const collection = db.collection<{ _id: UUID; until: Date }>('revocations')
  const id = () => new UUID()

  t.test('nothing at first, and nothing that is older than 800 ms', async (t) => {
    const { forward } = clocks(t)
    const { isLive, markCurrentAsOf: knowUpTo, markStale: doubtAll } = revocationCache(db)
    const session = id().toString()
    t.equal(isLive(session), undefined)
    knowUpTo(performance.now() - 801)
    t.equal(isLive(session), undefined)
    knowUpTo(performance.now())
    t.equal(isLive(session), true)
    knowUpTo(performance.now() - 5_000)
    t.equal(isLive(session), true, 'an old sign that comes late takes nothing away')
    doubtAll()
    t.equal(isLive(session), undefined)
    knowUpTo(performance.now())
    forward(700)
    t.equal(isLive(session), true)
    forward(101)
    t.equal(isLive(session), undefined)
  })

  t.test('what has ended is dead, however old that is', async (t) => {
    const { isLive, markCurrentAsOf: knowUpTo, add: learn, markStale: doubtAll } = revocationCache(db)
    const [one, other] = [id().toString(), id().toString()]
    knowUpTo(performance.now())
    learn(one, new Date(Date.now() + life))
    t.same([isLive(one), isLive(other)], [false, true])
    doubtAll()
    t.same([isLive(one), isLive(other)], [false, undefined])
  })

  t.test('what this process is ending is looked up from the first moment, whatever comes of it', async (t) => {
    const { forward } = clocks(t)
    const { isLive, markCurrentAsOf: knowUpTo, revoke, evictExpired: tidy } = revocationCache(db)
    const [kept, undone] = [id(), id()]
    const known = (session: UUID) => {
      knowUpTo(performance.now())
      return isLive(session.toString())
    }
    await transact(async (transaction) => {
      const revoking = revoke([kept], transaction)
      t.equal(known(kept), undefined, 'before the database has heard of it')
      await revoking
      await revoke([], transaction)
    })
    await t.rejects(
      transact(async (transaction) => {
        await revoke([undone], transaction)
        throw new Error('not found')
      }),
    )
    t.same([known(kept), known(undone)], [undefined, undefined])
    t.same(
      (await collection.find().toArray()).map(({ _id }) => _id.toString()),
      [kept.toString()],
    )
    forward(9_000)
    tidy()
    t.same([known(kept), known(undone)], [undefined, undefined], 'longer than any transaction takes')
    forward(1_001)
    tidy()
    t.equal(known(undone), true, 'one that did not end is asked for no longer')
  })

  t.test('it is written for the 900 s that a token lives, and 60 s more; MongoDB removes it then', async (t) => {
    await ensureIndexes(db, { revocations: revocationIndexes })
    t.match(await collection.indexes(), [{}, { key: { until: 1 }, expireAfterSeconds: 0 }])
    const session = id()
    const before = Date.now()
    await transact((transaction) => revocationCache(db).revoke([session], transaction))
    const { until, ...rest } = (await collection.findOne({ _id: session })) ?? { until: new Date(0) }
    t.ok(until.getTime() >= before + life && until.getTime() <= Date.now() + life)
    t.same(Object.keys(rest), ['_id'], 'and nothing of whose it was')
  })

  t.test('memory: all is forgotten once no token can name it, and not before', async (t) => {
    const { forward } = clocks(t)
    const known = revocationCache(db)
    const sessions = Array.from({ length: 1_000 }, id)
    // As they come from others: each a second later, every tenth from a clock that is a minute slow.
    const untils = sessions.map((_, n) => Date.now() + life + n * 1_000 - (n % 10 === 0 ? 60_000 : 0))
    for (const [n, session] of sessions.entries()) known.add(session.toString(), new Date(untils[n] ?? 0))
    await transact((transaction) => known.revoke(sessions.slice(0, 50), transaction))
    t.equal(known.size, 1_050)
    for (let n = 0; n < 4; n += 1) {
      known.evictExpired()
      const early = sessions.filter(
        (session, n) => (untils[n] ?? 0) > Date.now() && known.isLive(session.toString()) !== false,
      )
      t.same(early, [], 'nothing too early')
      const left = untils.filter((until) => until > Date.now()).length
      t.ok(known.size >= left && known.size <= left + (n === 0 ? 50 : 10), `${known.size} for ${left}`)
      forward(n === 0 ? life : 300_000)
    }
    forward(1_000_000)
    known.evictExpired()
    t.equal(known.size, 0)
  })
})
