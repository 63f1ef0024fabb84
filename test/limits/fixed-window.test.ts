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
