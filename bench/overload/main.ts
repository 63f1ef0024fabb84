import { parseArgs } from 'node:util'
import { measureOverHttp } from './over-http.ts'
import { goodput, simulate, waitMsP99 } from './simulation.ts'

const seconds = 20
/** The load grows in the first seconds of a run. */
const warmUpSeconds = 8
const loads = [0.5, 1, 2, 4]
const httpSeconds = 10
const httpRounds = 2
/** How long a transaction of so many items takes, in milliseconds. */
const databases: Record<string, (items: number) => number> = {
  '10 ms, and 0.5 ms for each item': (items) => 10 + items / 2,
  '10 ms, and 2 ms for each item': (items) => 10 + 2 * items,
  '800 ms, and 0.4 ms for each item': (items) => 800 + 0.4 * items,
}

const help = `Usage: npm run bench:overload -- [--http]

Compares what is acknowledged in time at multiples of what is possible with the peak. Without options it runs the real
group commit over simulated databases, with --http a server and a mongod of its own, reached over HTTP.
`

const { http, help: isHelp } = readOptions()
if (isHelp) process.stdout.write(help)
else if (http) await compareOverHttp()
else await compare()

function readOptions() {
  const options = { http: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const
  try {
    return parseArgs({ options }).values
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${help}`)
    return process.exit(2)
  }
}

/** Prints goodput at several multiples of the peak that closed loops reach, on this machine. */
async function compareOverHttp(): Promise<void> {
  process.stdout.write(
    'load  arrivals/s  goodput/s  of peak  refused/s  unsent/s  late/s  p99 ms  server CPU  load CPU  log lines\n',
  )
  await measureOverHttp({ seconds: httpSeconds, rounds: httpRounds }, (loaded) => {
    const { load, perSecond, goodput, peak, refused, unsent, late, p99Ms, serverCpuUs, cpuUs, logLines } = loaded
    const cells = [
      `${load}×`.padStart(4),
      format(perSecond).padStart(11),
      format(goodput).padStart(10),
      `${format((100 * goodput) / peak)}%`.padStart(8),
      format(refused / httpSeconds).padStart(10),
      format(unsent / httpSeconds).padStart(9),
      format(late / httpSeconds).padStart(7),
      format(p99Ms).padStart(7),
      `${format(serverCpuUs / httpSeconds / 10_000)}%`.padStart(11),
      `${format(cpuUs / httpSeconds / 10_000)}%`.padStart(9),
      format(logLines).padStart(10),
    ]
    process.stdout.write(`${cells.join(' ')}\n`)
  })
}

/** Prints goodput at several multiples of what batches of 500 achieve: the real group commit, a simulated database. */
async function compare(): Promise<void> {
  process.stdout.write(`${'a transaction takes'.padEnd(34)}  load  arrivals/s  goodput/s  of peak  p99 ms\n`)
  for (const [name, batchMs] of Object.entries(databases)) {
    const saturation = 500_000 / batchMs(500)
    let peak = 0
    for (const load of loads) {
      const answers = await simulate({ seconds, arrivalsPerSecond: () => load * saturation, batchMs })
      const achieved = goodput(answers, warmUpSeconds, seconds)
      peak = Math.max(peak, achieved)
      const cells = [
        `${load}×`.padStart(5),
        format(load * saturation).padStart(11),
        format(achieved).padStart(10),
        `${format((100 * achieved) / peak)}%`.padStart(8),
        format(waitMsP99(answers)).padStart(7),
      ]
      process.stdout.write(`${name.padEnd(34)} ${cells.join(' ')}\n`)
    }
  }
}

function format(number: number): string {
  return Math.round(number).toLocaleString('en')
}
