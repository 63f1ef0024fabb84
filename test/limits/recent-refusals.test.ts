import type { Db } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { recentRefusals } from '../../src/limits/recent-refusals.ts'
import { slidingWindow } from '../../src/limits/sliding-window.ts'
import { freshDatabase } from '../helper.ts'

t.test('a counter is taken for full after 5 refusals within a second, until that second is over', async (t) => {
  let nowMs = 0
  const refusals = recentRefusals(() => nowMs)
  for (let n = 0; n < 5; n += 1) {
    t.equal(refusals.secondsUntilFree('a'), undefined, `after ${n}`)
    refusals.note('a', 60)
    nowMs += 100
  }
  t.equal(refusals.secondsUntilFree('a'), 60)
  t.equal(refusals.secondsUntilFree('b'), undefined)
  nowMs = 1_000
  t.equal(refusals.secondsUntilFree('a'), undefined, 'a second after the first')
  for (let n = 0; n < 5; n += 1) refusals.note('a', 59)
  t.equal(refusals.secondsUntilFree('a'), 59)
  refusals.forget('a')
  t.equal(refusals.secondsUntilFree('a'), undefined)
})

t.test('100 refusals within a second cost 5 queries; a success opens the counter at once', async (t) => {
  const { db } = await freshDatabase(t)
  let queries = 0
  const counted = {
    collection: (name: string) =>
      new Proxy(db.collection(name), {
        get(target, member) {
          queries += 1
          const value: unknown = Reflect.get(target, member)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
  }
  // Of a database, this is all that is used.
  const attempts = slidingWindow(counted as unknown as Db, pino({ level: 'silent' }), () => 0)
  const limit = { name: 'some', description: 'attempts', quota: 1, windowSeconds: 900 }
  const counter = { limit, subject: 'ann' }
  await attempts.acquire([counter])
  queries = 0
  for (let n = 0; n < 100; n += 1) await t.rejects(attempts.check([counter]), { code: 'rate-limited' })
  t.equal(queries, 5)
  await t.rejects(attempts.acquire([counter]), { code: 'rate-limited' })
  t.throws(() => attempts.recall([counter]), { code: 'rate-limited' })
  t.equal(queries, 5)
  await attempts.clear([counter])
  await t.resolves(attempts.check([counter]))
  t.doesNotThrow(() => attempts.recall([counter]))
})
