import { parseArgs } from 'node:util'
import { forEachConcurrent } from '../../../bot/concurrency.ts'
import { waitUntilReady, withLocalServer, withTemporaryDirectory } from '../../../bot/spawn-server.ts'
import { type Caught, catchLiar } from './catch-liar.ts'
import type { Liar } from './liar.ts'
import { liars } from './liars.ts'

const help = `Usage: node test/bot/liars/main.ts [--seeds 1-10] [--only <part of a name>] [--clean <n>] [--at-once <n>]

Runs the bot in its default size against each lying proxy, with each seed, and prints a table: the rules by which it was
caught, or MISSED. Then runs it n times against the honest server (--clean, default 0). Every run has a server of its own.
Exit code: 0 all were caught and the honest server caused no alarm, 1 otherwise.
`

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1-10' },
    only: { type: 'string', default: '' },
    clean: { type: 'string', default: '0' },
    'at-once': { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(help)
else process.exitCode = await main()

async function main(): Promise<number> {
  const [first = 1, last = first] = values.seeds.split('-').map(Number)
  const seeds = Array.from({ length: last - first + 1 }, (_, n) => first + n)
  const chosen = liars.filter(({ name }) => name.includes(values.only))
  const clean = Array.from({ length: Number(values.clean) }, (_, n) => ({ liar: null, seed: n + 1 }))
  const runs = [...chosen.flatMap((liar) => seeds.map((seed) => ({ liar, seed }))), ...clean]
  let wrong = 0
  await forEachConcurrent(runs, Number(values['at-once']), async ({ liar, seed }) => {
    const caught = await withServer((url) => catchLiar(liar, url, { seed }))
    const isRight = liar ? caught.isCaught : caught.rules.length === 0
    if (!isRight) wrong += 1
    process.stdout.write(`${describe(liar, seed, caught, isRight)}\n`)
  })
  process.stdout.write(`${runs.length - wrong} of ${runs.length} as they should be\n`)
  return wrong === 0 ? 0 : 1
}

function describe(liar: Liar | null, seed: number, { rules, findings }: Caught, isRight: boolean): string {
  const line = `${(liar?.name ?? 'honest').padEnd(50)} seed ${String(seed).padStart(3)}  ${rules.join(' ') || '-'}`
  return isRight ? line : `${line}  ${liar ? 'MISSED' : `FALSE ALARM ${JSON.stringify(findings.slice(0, 3))}`}`
}

function withServer<T>(use: (url: string) => Promise<T>): Promise<T> {
  return withTemporaryDirectory('liars', (directory) =>
    withLocalServer(directory, { BCRYPT_COST: '4', LOG_LEVEL: 'error' }, async (server) => {
      if (!(await waitUntilReady(server))) throw new Error('the server did not start')
      return use(server.url)
    }),
  )
}
