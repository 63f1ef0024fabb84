import t from 'tap'
import { noiseBetween, parseCpuLine } from '../../bench/machine/noise.ts'
import { cpuUsOf, parseStat, treeOf } from '../../bench/machine/processes.ts'

const statLine = (pid: number, name: string, parent: number, user: number, system: number) =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194560 100 0 0 0 ${user} ${system} 7 9 20 0 1 0 100 1000 100`

t.test('a process whose name has spaces and parentheses is read', async (t) => {
  t.same(parseStat(statLine(12, 'a) (b c', 3, 40, 2)), { pid: 12, parent: 3, name: 'a) (b c', cpuUs: 420_000 })
})

t.test('a tree has the process, its children and theirs, and no other', async (t) => {
  const lines = [statLine(1, 'init', 0, 9, 0), statLine(5, 'sh', 1, 1, 0), statLine(6, 'mongod', 5, 2, 0)]
  const processes = [...lines, statLine(7, 'other', 1, 4, 0)].map(parseStat)
  t.same(
    treeOf(5, processes).map(({ pid }) => pid),
    [5, 6],
  )
  t.equal(cpuUsOf(treeOf(5, processes)), 30_000)
  t.same(treeOf(99, processes), [])
})

t.test('noise is what others and other machines used of the time that passed', async (t) => {
  const before = { ...parseCpuLine('cpu  100 0 0 100 0 5 5 0 0 0'), own: 1_000_000 }
  // 100 ticks more: 40 busy, of which 30 are ours; 10 stolen; 50 idle.
  const after = { ...parseCpuLine('cpu  130 0 10 150 0 5 5 10 0 0'), own: 1_300_000 }
  t.equal(noiseBetween(before, after), 0.2)
  t.equal(noiseBetween(before, { ...after, own: 9_000_000 }), 0.1, 'never less than what was stolen')
  t.equal(noiseBetween(undefined, after), null)
  t.equal(noiseBetween(before, before), null, 'no time has passed')
})
