import t from 'tap'
import { sampled } from '../../src/operations/sampled.ts'

t.test('the first event is reported at once, the others once a minute with their number', async (t) => {
  let nowMs = 5
  const reports: unknown[] = []
  const note = sampled(
    (events, name: string) => reports.push([events, name]),
    () => nowMs,
  )
  for (const name of ['a', 'b', 'c']) note(name)
  t.same(reports, [[1, 'a']])
  nowMs += 60_000
  for (const name of ['d', 'e']) note(name)
  t.same(reports.slice(1), [[3, 'd']])
})
