import t from 'tap'
import { faultNames } from '../../bot/chaos/fault.ts'
import { runChaos } from './run-chaos.ts'

t.test('a round with every fault but kills passes, and each fault is said to have happened', async (t) => {
  t.setTimeout(900_000)
  const faults = faultNames.filter((name) => !name.startsWith('kill-'))
  const options = ['--processes', '2', '--pause', '0', '--faults', faults.join(',')]
  const { ended } = await runChaos(t, [...options, '--', '--robots', '4', '--deletions', '25'])
  const { code, out, left } = await ended()
  t.equal(code, 0, out)
  for (const name of faults) t.match(out, new RegExp(`^\\S+ ${name}: .*; ready after`, 'm'))
  t.match(out, /Faults: lost-command 1\b/)
  t.match(out, /drift 0\n/)
  t.match(out, /Round 1 of 1 passed/)
  t.same(left, [])
})
