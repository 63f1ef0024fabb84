import { goodput, simulate, waitMsP99 } from './simulation.ts'

const seconds = 20
/** The load grows in the first seconds of a run. */
const warmUpSeconds = 8
const loads = [0.5, 1, 2, 4]
/** How long a transaction of so many items takes, in milliseconds. */
const databases: Record<string, (items: number) => number> = {
  '10 ms, and 0.5 ms for each item': (items) => 10 + items / 2,
  '10 ms, and 2 ms for each item': (items) => 10 + 2 * items,
  '800 ms, and 0.4 ms for each item': (items) => 800 + 0.4 * items,
}

if (process.argv.length > 2) {
  process.stderr.write('bench:overload has no options.\n')
  process.exitCode = 2
} else await compare()

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
