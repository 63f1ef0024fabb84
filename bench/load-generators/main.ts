import { parseArgs } from 'node:util'
import { z } from 'zod'
import { privateIdentity } from '../../bot/content.ts'
import { prepareTargets } from '../../bot/load/only-targets.ts'
import { waitUntilReady, withLocalServer, withTemporaryDirectory } from '../../bot/spawn-server.ts'
import { PeerUnavailable } from '../peers/install.ts'
import { autocannon } from './autocannon.ts'
import { measureBareSocket } from './bare-socket.ts'
import { bot } from './bot.ts'
import type { Generator, Job, Round } from './round.ts'
import { openVegeta } from './vegeta.ts'

const help = `Usage: npm run bench:load-generators -- [--rate <n>] [--seconds <n>] [--rounds <n>]

Reads a post at the same rate with the bot (--only read-post), with vegeta, which needs Go, and with autocannon, which
npx downloads, in turn, from a server of its own. Prints the medians of all, what a request costs the bot, and what it costs
a bare socket of Node.js. Defaults: 500 a second, 10 s, 5 rounds.
`

const { help: isHelp, rounds, ...load } = readOptions()
if (isHelp) process.stdout.write(help)
else
  await withTemporaryDirectory('load-generators', (directory) =>
    withLocalServer(directory, { LOG_LEVEL: 'silent' }, async (server) => {
      if (!(await waitUntilReady(server))) throw new Error('The server did not start.')
      const createIdentity = (index: number) => privateIdentity(index, index, 'bench')
      const { targets } = await prepareTargets('read-post', new URL(server.url), undefined, createIdentity, 1)
      await compare({ url: new URL(targets[0]?.path ?? '', server.url), ...load })
    }),
  )

async function compare(job: Job): Promise<void> {
  const generators = [bot, ...(await vegetaIfThere()), autocannon]
  const results = new Map<Generator, Round[]>(generators.map((generator) => [generator, []]))
  const bare: number[] = []
  // The first round of each warms the server up.
  for (let number = 0; number <= rounds; number += 1) {
    for (const generator of generators) {
      const round = await generator.run(job)
      if (number === 0) continue
      results.get(generator)?.push(round)
      print(`round ${number}: ${generator.name} p50 ${format(round.p50)}, p99 ${format(round.p99)} ms`)
      for (const reason of round.invalid) print(`  its figures are invalid: ${reason}`)
    }
    if (number > 0) bare.push(await measureBareSocket(job))
  }
  print(`\nmedians of ${rounds} rounds at ${job.rate} requests a second`)
  for (const [{ name }, found] of results) {
    const medianOf = (metric: 'p50' | 'p99' | 'perSecond') => format(median(found.map((round) => round[metric])))
    print(`${name.padEnd(10)} p50 ${medianOf('p50')} ms  p99 ${medianOf('p99')} ms  ${medianOf('perSecond')}/s`)
  }
  const cpu = median((results.get(bot) ?? []).flatMap(({ cpuMicros }) => cpuMicros ?? []))
  print(`CPU for each request: bot ${format(cpu)} µs, a bare socket of Node.js ${format(median(bare))} µs`)
}

async function vegetaIfThere(): Promise<Generator[]> {
  try {
    return [await openVegeta()]
  } catch (error) {
    if (!(error instanceof PeerUnavailable)) throw error
    print(`vegeta is left out: ${error.message}`)
    return []
  }
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        rate: { type: 'string', default: '500' },
        seconds: { type: 'string', default: '10' },
        rounds: { type: 'string', default: '5' },
        help: { type: 'boolean', default: false },
      },
    })
    const number = z.coerce.number().int().min(1)
    return z.object({ rate: number, seconds: number, rounds: number, help: z.boolean() }).parse(values)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${help}`)
    return process.exit(2)
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function format(value: number): string {
  return value.toFixed(2)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
