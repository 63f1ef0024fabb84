import { parseArgs } from 'node:util'
import { forEachConcurrent } from '../../../bot/concurrency.ts'
import { interruptedExitCodes, onShutdownSignal } from '../../../src/shutdown-signal.ts'
import { catchLiar } from './catch-liar.ts'
import { type ConditionName, conditions } from './conditions.ts'
import { liars } from './liars.ts'
import { type Run, Table } from './table.ts'

const names = Object.keys(conditions)

const help = `Usage: npm run liars -- [options]

Runs the bot in its default size against each lying proxy, with each seed, and prints a table: condition, liar, seed, verdict,
the rules by which it was caught. Then runs it against the honest server, with other seeds. Every run has a server of its own.

  --seeds <range>       seeds of the runs against liars, such as 1-10, 3, or none (default 1-10)
  --clean <n or range>  runs against the honest server: seeds 1 to n, or a range of seeds (default none)
  --only <text>         only liars whose name contains it
  --condition <name>    ${names.join(', ')} (default ${names[0]})
  --at-once <n>         concurrent runs (default 2)
  --table <file>        appends the table to the file; runs that are in it are not repeated

Ctrl-C ends it after the runs that are under way.

Exit code: 0 all were caught and the honest server caused no alarm, 1 otherwise.
`

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1-10' },
    clean: { type: 'string', default: 'none' },
    only: { type: 'string', default: '' },
    condition: { type: 'string', default: names[0] ?? '' },
    'at-once': { type: 'string', default: '2' },
    table: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const isCondition = (name: string): name is ConditionName => names.includes(name)

if (values.help) process.stdout.write(help)
else process.exitCode = await main()

async function main(): Promise<number> {
  const { condition } = values
  if (!isCondition(condition)) throw new Error(`--condition must be one of ${names.join(', ')}.`)
  const chosen = liars.filter(({ name }) => name.includes(values.only))
  const runs: Run[] = [
    ...seedsIn(values.seeds).flatMap((seed) => chosen.map((liar) => ({ condition, liar, seed }))),
    ...seedsIn(/^\d+$/.test(values.clean) ? `1-${values.clean}` : values.clean).map((seed) => ({
      condition,
      liar: null,
      seed,
    })),
  ]
  const table = new Table(values.table ?? null)
  const missing = runs.filter((run) => !table.has(run))
  let isStopping = false
  onShutdownSignal(
    () => {
      isStopping = true
    },
    (signal) => process.exit(interruptedExitCodes[signal]),
  )
  await forEachConcurrent(missing, Number(values['at-once']), async (run) => {
    if (isStopping) return
    const { liar, seed } = run
    await conditions[condition]((url) => catchLiar(liar, url, { seed }), seed)
      .then(({ result, note }) => table.add(run, result, note))
      // It is in no table, so that it is repeated when the series is resumed.
      .catch((error: Error) => process.stdout.write(`${liar?.name ?? 'honest'}, seed ${seed}: ${error.message}\n`))
  })
  const right = table.countRight(runs)
  process.stdout.write(`${right} of ${runs.length} as they should be\n`)
  return right === runs.length ? 0 : 1
}

/** `3-5` is 3, 4 and 5. */
function seedsIn(range: string): number[] {
  if (range === 'none') return []
  const [first = 1, last = first] = range.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, n) => first + n)
}
