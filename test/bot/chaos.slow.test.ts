import t from 'tap'
import { faultNames } from '../../bot/chaos/fault.ts'
import { readChaosOptions } from '../../bot/chaos/options.ts'
import { nothingRuns } from '../main/server-process.ts'
import { runChaos } from './run-chaos.ts'

t.test('chaos options have bounds, and the bot’s exclude --help and --url', async (t) => {
  t.match(readChaosOptions([]), { rounds: 1, processes: 4, pause: 2, faults: faultNames, help: false, botArgs: [] })
  t.same(readChaosOptions(['--faults', 'clock-step,kill-api']).faults, ['clock-step', 'kill-api'])
  t.same(readChaosOptions(['--faults', 'clock-step,kill-api', '--processes', '1']).faults, ['clock-step'])
  const botArgs = ['--users', '3', '--posts', '2']
  t.match(readChaosOptions(['--rounds', '2', '--processes', '1', '--', ...botArgs]), { rounds: 2, botArgs })
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
    [['--', '--help'], /chaos starts its own server/],
    [['--', '--url', 'http://127.0.0.1:1'], /chaos starts its own server/],
  ] as const) {
    t.throws(() => readChaosOptions([...args]), { message: says }, args.join(' '))
  }
})

t.test('a round with kills of mongod and the server passes and leaves no files', { timeout: 300_000 }, async (t) => {
  const crowd = ['--users', '4', '--posts', '5', '--reactions', '40', '--deletions', '25', '--seed', '7']
  const faults = ['--faults', 'kill-mongod,kill-server']
  const { ended } = await runChaos(t, ['--processes', '2', '--pause', '1', ...faults, '--', ...crowd])
  const { code, out, left } = await ended()
  t.equal(code, 0, out)
  t.match(out, /Faults: kill-mongod [1-9]\d*, kill-server \d+/)
  t.match(out, /ledger agrees: .* 32 posts, .* [1-9]\d* deletions? /)
  t.match(out, /drift 0\n/)
  t.match(out, /1 of 1 rounds passed/)
  t.same(left, [])
})

t.test('SIGTERM exits with 130 and leaves no files and no processes', { timeout: 100_000 }, async (t) => {
  const { child, says, ended, TMPDIR } = await runChaos(t, ['--processes', '2', '--pause', '600'])
  await says((out) => out.includes('sign up'))
  child.kill('SIGTERM')
  const { code, left } = await ended()
  t.equal(code, 130)
  t.same(left, [])
  t.ok(await nothingRuns(TMPDIR))
})
