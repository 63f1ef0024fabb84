import { execFile } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'
import { z } from 'zod'
import { privateIdentity } from '../../bot/content.ts'
import { prepareTargets } from '../../bot/load/only-targets.ts'
import { type Report, reportSchema } from '../../bot/report/schema.ts'
import { waitUntilReady, withLocalServer, withTemporaryDirectory } from '../../bot/spawn-server.ts'

const help = `Usage: npm run bench:load-generators -- [--rate <n>] [--seconds <n>] [--rounds <n>]

Reads a post at the same rate with the bot (--only read-post) and with autocannon, which npx downloads, in turn, from a
server of its own. Prints the medians of both and what a request costs the bot. Defaults: 500 a second, 10 s, 5 rounds.
`

const autocannon = 'autocannon@9.0.0'
const connections = '50'
const { rate, seconds, rounds, help: isHelp } = readOptions()

type Round = { p50: number; p99: number; perSecond: number; cpuMicros: number | null; invalid: string[] }

const run = promisify(execFile)
const maxBuffer = 64 * 1024 * 1024

const autocannonResult = z.object({
  latency: z.object({ p50: z.number(), p99: z.number() }),
  requests: z.object({ average: z.number() }),
})

if (isHelp) process.stdout.write(help)
else
  await withTemporaryDirectory('load-generators', (directory) =>
    withLocalServer(directory, { LOG_LEVEL: 'silent' }, async (server) => {
      if (!(await waitUntilReady(server))) throw new Error('The server did not start.')
      const createIdentity = (index: number) => privateIdentity(index, index, 'bench')
      const { targets } = await prepareTargets('read-post', new URL(server.url), undefined, createIdentity, 1)
      const path = targets[0]?.path ?? ''
      const results: { bot: Round[]; autocannon: Round[] } = { bot: [], autocannon: [] }
      // The first round of each warms the server up.
      for (let round = 0; round <= rounds; round += 1) {
        const pair = { bot: await runBot(server.url), autocannon: await runAutocannon(server.url + path) }
        if (round === 0) continue
        results.bot.push(pair.bot)
        results.autocannon.push(pair.autocannon)
        print(
          `round ${round}: bot p50 ${pair.bot.p50}, p99 ${pair.bot.p99}; autocannon p50 ${pair.autocannon.p50}, p99 ${pair.autocannon.p99} ms`,
        )
        for (const reason of pair.bot.invalid) print(`  the bot's figures are invalid: ${reason}`)
      }
      summarize(results)
    }),
  )

function summarize({ bot, autocannon }: { bot: Round[]; autocannon: Round[] }): void {
  print(`medians of ${rounds} rounds at ${rate} requests a second`)
  for (const metric of ['p50', 'p99', 'perSecond'] as const) {
    const [ours, theirs] = [bot, autocannon].map((all) => median(all.map((round) => round[metric])))
    print(
      `${metric.padEnd(10)} bot ${format(ours)}  autocannon ${format(theirs)}  ratio ${format((ours ?? 0) / (theirs ?? 1))}`,
    )
  }
  print(`CPU of the bot: ${format(median(bot.flatMap(({ cpuMicros }) => cpuMicros ?? [])))} µs a request`)
}

async function runBot(url: string): Promise<Round> {
  const args = ['--only', 'read-post', '--rate', String(rate), '--for', `${seconds}s`, '--ramp', '2s', '--json', '-']
  // The bot exits with 5 when this machine is too busy for valid figures.
  const { stdout } = await run(process.execPath, ['bot/index.ts', '--url', url, ...args], { maxBuffer }).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  )
  const report: Report = reportSchema.parse(JSON.parse(stdout))
  const { latency, perSecond, count } = report.total
  const cpuSeconds = report.series.reduce((sum, { cpu }) => sum + cpu, 0)
  const cpuMicros = (cpuSeconds * 1_000_000) / Math.max(1, count)
  return {
    p50: latency.p50 ?? Number.NaN,
    p99: latency.p99 ?? Number.NaN,
    perSecond,
    cpuMicros,
    invalid: report.load.invalid,
  }
}

async function runAutocannon(url: string): Promise<Round> {
  const args = [
    '--connections',
    connections,
    '--overallRate',
    String(rate),
    '--duration',
    String(seconds),
    '--json',
    url,
  ]
  const { stdout } = await run('npx', ['--yes', autocannon, ...args], { maxBuffer })
  const { latency, requests } = autocannonResult.parse(JSON.parse(stdout))
  return { ...latency, perSecond: requests.average, cpuMicros: null, invalid: [] }
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

function format(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
