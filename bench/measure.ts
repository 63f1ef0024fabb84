import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../src/database/connection.ts'
import { startLoad } from './load/load.ts'
import type { History, Scenario } from './scenarios/scenario.ts'
import { connect } from './servers/connect.ts'
import { type ServerOptions, type Side, startServer } from './servers/server.ts'

export type Settings = ServerOptions & {
  seconds: number
  rounds: number
  /** Ends a scenario after the current round. */
  stop: AbortSignal
  /** Called after each round; rounds below 1 are the warm-up. */
  onRound(scenario: Scenario, round: number, baseline: Round, rookery: Round): void
}

/** One side's result of one round. */
export type Round = {
  perSecond: number
  /** CPU time per request, in microseconds; unknown for several processes. */
  serverCpuUs: number | null
  loadCpuUs: number
}

/** The results of one scenario. */
export type Measured = {
  scenario: Scenario
  rounds: { baseline: Round; rookery: Round }[]
  /** The statuses of all responses other than 2xx, by side, the warm-up included. */
  refused: { baseline: number[]; rookery: number[] }
  faults: string[]
}

/** Rounds that do not count: V8 compiles the servers' code during these. */
const warmUpRounds = 2
/** Lets MongoDB finish a round's writes. */
const pauseMs = 200

/** Starts one side on a database of its own. */
async function openSide(side: Side, scenario: Scenario, connection: Connection, options: ServerOptions) {
  const uri = new URL(connection.uri)
  uri.pathname = `/bench_${scenario.name}_${side}`.replaceAll('-', '_')
  const own = { ...connection, uri: uri.href }
  const { client, db } = await connect(own)
  const server = await startServer(side, own, options)
  const load = startLoad()
  const close = () => Promise.all([server.stop(), load.stop(), client.close()])
  try {
    const { plans, values, check } = await scenario.prepare(side, server.url, db)
    let history: History = { done: plans.map(() => 0), refused: [] }

    const run = async (seconds: number): Promise<Round> => {
      const cpuUsBefore = await server.cpuUs()
      const before = history.done.reduce((sum, count) => sum + count, 0)
      const job = { port: server.port, durationMs: seconds * 1_000, plans, values, done: history.done }
      const outcome = await load.request(job)
      const count = outcome.done.reduce((sum, count) => sum + count, 0) - before
      history = { done: outcome.done, refused: [...history.refused, ...outcome.refused] }
      const cpuUs = (await server.cpuUs()) - cpuUsBefore
      const serverCpuUs = side === 'rookery' && options.processes > 1 ? null : cpuUs / count
      return { perSecond: outcome.inTime / seconds, serverCpuUs, loadCpuUs: outcome.cpuUs / count }
    }
    return { run, refused: () => history.refused.map(({ status }) => status), check: () => check(history), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Measures a scenario. The two sides alternate, so that noise of the machine affects both. */
export async function measure(scenario: Scenario, connection: Connection, settings: Settings): Promise<Measured> {
  const { seconds, rounds, stop, onRound } = settings
  const baseline = await openSide(scenario.against, scenario, connection, settings)
  try {
    const rookery = await openSide('rookery', scenario, connection, settings)
    try {
      const results: Measured['rounds'] = []
      for (let round = 1 - warmUpRounds; round <= rounds && !stop.aborted; round += 1) {
        const baselineRound = await baseline.run(seconds)
        await sleep(pauseMs)
        const rookeryRound = await rookery.run(seconds)
        await sleep(pauseMs)
        onRound(scenario, round, baselineRound, rookeryRound)
        if (round > 0) results.push({ baseline: baselineRound, rookery: rookeryRound })
      }
      const refused = { baseline: baseline.refused(), rookery: rookery.refused() }
      const faults = [...(await baseline.check()), ...(await rookery.check())]
      return { scenario, rounds: results, refused, faults }
    } finally {
      await rookery.close()
    }
  } finally {
    await baseline.close()
  }
}
