import t from 'tap'
import { faultNames } from '../../bot/chaos/fault.ts'
import { runChaos } from './run-chaos.ts'

t.test('rounds with every fault but kills pass, and each fault is said to have happened', async (t) => {
  t.setTimeout(450_000)
  const faults = faultNames.filter((name) => !name.startsWith('kill-'))
  const crowd = ['--users', '4', '--posts', '5', '--reactions', '60', '--deletions', '25']
  const options = ['--rounds', '1000', '--processes', '2', '--pause', '0', '--faults', faults.join(',')]
  const { child, says, ended } = await runChaos(t, [...options, '--', ...crowd])
  // As many rounds as it takes: a machine that is fast ends a round after a few faults.
  const hasHappened = (out: string, name: string) => new RegExp(`^\\S+ ${name}: .*; ready after`, 'm').test(out)
  await says((out) => faults.every((name) => hasHappened(out, name)) && / passed$/m.test(out), 400_000)
  child.kill('SIGTERM')
  const { code, out, left } = await ended()
  t.equal(code, 130, out)
  for (const name of faults) t.ok(hasHappened(out, name), name)
  t.match(out, /Faults: lost-command \d+/)
  t.match(out, /Round 1 of 1000 passed/)
  t.notMatch(out, /Round \d+ of 1000 failed/)
  t.same(left, [])
})
