import t from 'tap'
import { windowLimits } from '../../src/limits/fixed-window.ts'
import { freshDatabase } from '../helper.ts'

t.test('a limit that was lowered within its window still holds', async (t) => {
  const { db } = await freshDatabase(t)
  const limit = (quota: number) => ({ name: 'writes', what: 'changes', quota, window: 900 })
  const before = windowLimits(db)
  for (let n = 0; n < 5; n += 1) await before.spend(limit(5), 'ann')
  const after = windowLimits(db)
  await t.rejects(after.spend(limit(3), 'ann'), { code: 'rate-limited' })
  await t.rejects(after.spend(limit(3), 'ann'), { code: 'rate-limited' })
  await windowLimits(db).spend(limit(6), 'ann')
})
