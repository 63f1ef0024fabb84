import t from 'tap'
import { assertOpenFiles } from '../../src/environment/open-files.ts'

const limits = (soft: string) => () =>
  `Limit   Soft Limit   Hard Limit   Units\nMax open files            ${soft}                 4096                 files\n`

t.test('a limit under 256 open files is a fault; what is more, or not known, is none', async (t) => {
  t.throws(() => assertOpenFiles(limits('255')), { name: 'StartError', message: /only 255 files .*ulimit -n/ })
  for (const soft of ['256', '1048576', 'unlimited']) assertOpenFiles(limits(soft))
  assertOpenFiles(() => {
    throw new Error('no /proc')
  })
})
