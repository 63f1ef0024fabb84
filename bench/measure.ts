import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../src/database/connection.ts'
import { startLoad } from './load/load.ts'
import type { History, Scenario } from './scenarios/scenario.ts'
import { connect } from './servers/connect.ts'
import { type ServerOptions, type Side, startServer } from './servers/server.ts'

export type Settings = ServerOptions & {
  seconds: number
  rounds: number
  /** Ends a scenario after the round that is under way. */
  stop: AbortSignal
  /** Hears of each round as it ends; those before the first are the warm-up. */
  onRound(scenario: Scenario, round: number, baseline: Round, rookery: Round): void
}

/** What one side did in one round. */
export type Round = {
  perSecond: number
  /** CPU time a request, in microseconds; of several processes it is not known. */
  serverCpu: number | null
  loadCpu: number
}

/** What was measured of a scenario, round by round. */
export type Measured = {
  scenario: Scenario
  rounds: { baseline: Round; rookery: Round }[]
  /** The statuses of all answers that were no acknowledgement, by side; those of the warm-up too. */
  refused: { baseline: number[]; rookery: number[] }
  faults: string[]
}

/** Rounds that are not counted: the servers' code is compiled meanwhile. */
const warmUps = 2
/** Time for what a round left behind in the database, in milliseconds. */
const pause = 200

/** Opens one side on a database of its own. */
async function openSide(side: Side, scenario: Scenario, connection: Connection, options: ServerOptions) {
  const uri = new URL(connection.uri)
  uri.pathname = `/bench_${scenario.name}_${side}`.replaceAll('-', '_')
  const own = { ...connection, uri: uri.href }
  const { client, db } = await connect(own)
  const server = await startServer(side, own, options)
  const load = startLoad()
  const close = () => Promise.all([server.end(), load.end(), client.close()])
  try {
    const { plans, values, check } = await scenario.prepare(side, server.url, db)
    let history: History = { done: plans.map(() => 0), refused: [] }

    const run = async (seconds: number): Promise<Round> => {
      const cpuBefore = await server.cpu()
      const before = history.done.reduce((sum, count) => sum + count, 0)
      const job = { port: server.port, milliseconds: seconds * 1_000, plans, values, done: history.done }
      const outcome = await load.ask(job)
      const count = outcome.done.reduce((sum, count) => sum + count, 0) - before
      history = { done: outcome.done, refused: [...history.refused, ...outcome.refused] }
      const cpu = (await server.cpu()) - cpuBefore
      const serverCpu = side === 'rookery' && options.processes > 1 ? null : cpu / count
      return { perSecond: outcome.inTime / seconds, serverCpu, loadCpu: outcome.cpu / count }
    }
    return { run, refused: () => history.refused.map(({ status }) => status), check: () => check(history), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Measures a scenario: the two sides by turns, so that whatever else the machine does meets both. */
export async function measure(scenario: Scenario, connection: Connection, settings: Settings): Promise<Measured> {
  const { seconds, rounds, stop, onRound } = settings
  const baseline = await openSide(scenario.against, scenario, connection, settings)
  try {
    const rookery = await openSide('rookery', scenario, connection, settings)
    try {
      const results: Measured['rounds'] = []
      for (let round = 1 - warmUps; round <= rounds && !stop.aborted; round += 1) {
        const ofBaseline = await baseline.run(seconds)
        await sleep(pause)
        const ofRookery = await rookery.run(seconds)
        await sleep(pause)
        onRound(scenario, round, ofBaseline, ofRookery)
        if (round > 0) results.push({ baseline: ofBaseline, rookery: ofRookery })
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
