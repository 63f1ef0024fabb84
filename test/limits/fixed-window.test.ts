import t from 'tap'
import { fixedWindow } from '../../src/limits/fixed-window.ts'
import { freshDatabase } from '../helper.ts'

t.test('a quota lowered within its window applies at once', async (t) => {
  const { db } = await freshDatabase(t)
  const limit = (quota: number) => ({ name: 'writes', description: 'changes', quota, windowSeconds: 900 })
  const before = fixedWindow(db)
  for (let n = 0; n < 5; n += 1) await before.consume(limit(5), 'ann')
  const after = fixedWindow(db)
  await t.rejects(after.consume(limit(3), 'ann'), { code: 'rate-limited' })
  await t.rejects(after.consume(limit(3), 'ann'), { code: 'rate-limited' })
  await fixedWindow(db).consume(limit(6), 'ann')
})

t.test('places in two windows with one message', async (t) => {
  const { db } = await freshDatabase(t)
  const window = fixedWindow(db)
  const counter = (name: string, quota: number) => ({
    limit: { name, description: 'logins', quota, windowSeconds: 900 },
    subject: 'ann',
  })
  const countOf = async (name: string) =>
    (await db.collection<{ _id: string; count: number }>('throttle').findOne({ _id: new RegExp(`^${name}:`) }))?.count

  t.test('10 at once: as many as the smaller quota, and the others count nowhere', async (t) => {
    const both = [counter('wide', 100), counter('narrow', 4)] as const
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => window.take(...both)))
    t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 4)
    for (const outcome of outcomes) if (outcome.status === 'rejected') t.match(outcome.reason, { code: 'rate-limited' })
    t.same([await countOf('wide'), await countOf('narrow')], [4, 4])
  })

  t.test('a full first window leaves the second as it is, and a release frees both', async (t) => {
    const both = [counter('first', 1), counter('second', 9)] as const
    const release = await window.take(...both)
    await t.rejects(window.take(...both), { code: 'rate-limited', message: /logins/ })
    t.same([await countOf('first'), await countOf('second')], [1, 1])
    await release()
    t.same([await countOf('first'), await countOf('second')], [0, 0])
    await t.resolves(window.take(...both))
  })
})
