import t from 'tap'
import { faultNames } from '../../bot/chaos/fault.ts'
import { readChaosOptions } from '../../bot/chaos/options.ts'
import { nothingRuns } from '../main/server-process.ts'
import { runChaos } from './run-chaos.ts'

t.test('chaos options have bounds, and the bot’s exclude --help and --url', async (t) => {
  const botDefaults = ['--for', '20m', '--silence', '10m']
  const expected = { rounds: 1, processes: 4, pause: 2, faults: faultNames, help: false, botArgs: botDefaults }
  t.match(readChaosOptions([]), expected)
  t.same(readChaosOptions(['--faults', 'clock-step,kill-api']).faults, ['clock-step', 'kill-api'])
  t.same(readChaosOptions(['--faults', 'clock-step,kill-api', '--processes', '1']).faults, ['clock-step'])
  const botArgs = ['--users', '3', '--posts', '2']
  t.match(readChaosOptions(['--rounds', '2', '--processes', '1', '--', ...botArgs]), {
    rounds: 2,
    botArgs: [...botArgs, ...botDefaults],
  })
  const given = ['--for', '9s', '--silence', '1m']
  t.same(readChaosOptions(['--', ...given]).botArgs, given)
  for (const [args, says] of [
    [['--rounds', '0'], '--rounds must be an integer from 1 to 1000.'],
    [['--faults', 'kill-mongod,nope'], /^--faults must name some of kill-mongod, /],
    [['--faults', ''], /^--faults must name some of /],
    [
      ['--faults', 'kill-api,kill-writer', '--processes', '1'],
      '--faults kill-api,kill-writer needs --processes 2 or more.',
    ],
    [['--processes', '65'], '--processes must be an integer from 1 to 64.'],
    [['--nope'], /--nope.*see --help/],
    [['--', '--users', 'x'], '--users must be an integer from 1 to 10000.'],
    [['--', '--help'], /chaos starts a crowd/],
    [['--', '--only', 'read-post'], /chaos starts a crowd/],
    [['--', '--url', 'http://127.0.0.1:1'], /chaos starts a crowd/],
  ] as const) {
    t.throws(() => readChaosOptions([...args]), { message: says }, args.join(' '))
  }
})

t.test(
  'a round lasts until each victim has fallen three times, passes, and leaves no files',
  { timeout: 600_000 },
  async (t) => {
    const crowd = ['--users', '4', '--deletions', '25', '--seed', '7']
    const faults = ['--faults', 'kill-mongod,kill-server,kill-api,kill-writer']
    const { ended } = await runChaos(t, ['--processes', '2', '--pause', '1', ...faults, '--', ...crowd])
    const { code, out, left } = await ended()
    t.equal(code, 0, out)
    // Such as `kill-api 3 of 4 tried` when the process was being replaced.
    const thrice = (name: string) => `${name} 3( of \\d+ tried)?`
    const victims = ['kill-mongod', 'kill-server', 'kill-api', 'kill-writer']
    t.match(out, new RegExp(`^Faults: ${victims.map(thrice).join(', ')}$`, 'm'))
    for (const name of victims) {
      const pids = [...out.matchAll(new RegExp(`^\\S+ ${name}: process (\\d+); ready after`, 'gm'))].map(
        ([, pid]) => pid,
      )
      t.equal(new Set(pids).size, 3, `${name}: three processes`)
    }
    t.match(out, /ledger agrees: /)
    t.match(out, /drift 0\n/)
    t.match(out, /1 of 1 rounds passed/)
    t.same(left, [])
  },
)

t.test('a round in which nothing could be killed fails', { timeout: 300_000 }, async (t) => {
  const faults = ['--faults', 'kill-mongod,kill-server', '--pause', '600']
  const { ended } = await runChaos(t, ['--processes', '2', ...faults, '--', '--for', '2s', '--robots', '2'])
  const { code, out, left } = await ended()
  t.equal(code, 1, out)
  t.match(out, /^Faults: kill-mongod 0, kill-server 0$/m)
  const missing = 'nothing shown: kill-mongod happened 0 of 3 times, kill-server happened 0 of 3 times'
  t.match(out, new RegExp(`^Round 1 of 1 failed: (the bot exited with \\d; )?${missing}$`, 'm'))
  t.same(left, [])
})

t.test('SIGTERM exits with 130 and leaves no files and no processes', { timeout: 300_000 }, async (t) => {
  const { child, says, ended, TMPDIR } = await runChaos(t, ['--processes', '2', '--pause', '600'])
  await says((out) => out.includes('seed'), 240_000)
  child.kill('SIGTERM')
  const { code, left } = await ended()
  t.equal(code, 130)
  t.same(left, [])
  t.ok(await nothingRuns(TMPDIR))
})
