import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../../src/temporary-folder.ts'
import { startLoad } from '../load/load.ts'
import { type Plan, slotFor } from '../load/plan.ts'
import { withMongod } from '../mongod.ts'
import { createPosts, signUp } from '../scenarios/accounts.ts'
import { startServer } from '../servers/start.ts'
import { sides } from '../sides.ts'
import { type Arrivals, startArrivals } from './arrivals.ts'

export type Settings = { seconds: number; rounds: number }

export type Loaded = Arrivals & {
  load: number
  perSecond: number
  goodput: number
  peak: number
  serverCpuUs: number
  /** What the server logged, without the lines of requests that LOG_LEVEL=info adds. */
  logLines: number
}

const posts = 100
const accountCount = 2_000
/** More than wait in the server while it refuses in time; it accepts 10,000. */
const connections = 8_000
const peakConnections = [256, 1_024]
const loads = [1, 2, 3, 4]

/**
 * Reactions at multiples of the peak, which closed loops find first, on the server and a mongod of its own.
 * @param onLoaded - called after each load of each round
 */
export const measureOverHttp = ({ seconds, rounds }: Settings, onLoaded: (loaded: Loaded) => void) =>
  withMongod(async (connection) => {
    const folder = await temporaryFolder('rookery-bench-')
    const logFile = join(folder, 'log')
    const options = { bcryptCost: 4, processes: 1, profileDir: undefined, logFile }
    const server = await startServer('rookery', connection, options)
    const [closed, open] = [startLoad(), startArrivals()]
    try {
      const { port } = server
      const { plans, values } = await prepare(port)
      let done = plans.map(() => 0)

      const peakOf = async (count: number) => {
        const job = {
          port,
          durationMs: seconds * 1_000,
          plans: plans.slice(0, count),
          values,
          done: done.slice(0, count),
        }
        const outcome = await closed.request(job)
        done = [...outcome.done, ...done.slice(count)]
        return outcome.inTime / seconds
      }
      // V8 compiles the server's code in the first round of loops.
      for (const count of peakConnections) await peakOf(count)
      for (let round = 0; round < rounds; round += 1) {
        let peak = 0
        for (const count of peakConnections) peak = Math.max(peak, await peakOf(count))
        for (const load of loads) {
          const cpuUsBefore = await server.cpuUs()
          const linesBefore = await countLines(logFile)
          const perSecond = load * peak
          const arrivals = await open.request({ port, durationMs: seconds * 1_000, perSecond, plans, values, done })
          done = arrivals.done
          const serverCpuUs = (await server.cpuUs()) - cpuUsBefore
          const logLines = (await countLines(logFile)) - linesBefore
          const goodput = arrivals.acknowledged / seconds
          onLoaded({ ...arrivals, load, perSecond, goodput, peak, serverCpuUs, logLines })
        }
      }
    } finally {
      await Promise.all([server.stop(), closed.stop(), open.stop()])
      await rm(folder, { recursive: true, force: true })
    }
  })

const countLines = async (file: string) => (await readFile(file, 'utf8')).split('\n').length - 1

async function prepare(port: number): Promise<{ plans: Plan[]; values: string[] }> {
  const accounts = await signUp('rookery', port, accountCount)
  const values = await createPosts('rookery', port, accounts, posts)
  const plans = Array.from({ length: connections }, (_, n) => ({
    templates: ['like', 'dislike'].map((value) =>
      sides.rookery.api.react(accounts[n % accountCount], slotFor(values[0]), value),
    ),
    start: n % posts,
  }))
  return { plans, values }
}
