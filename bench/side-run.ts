import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../src/database/connection.ts'
import { temporaryFolder } from '../src/temporary-folder.ts'
import { startLoad } from './load/load.ts'
import type { Plan } from './load/plan.ts'
import { noiseBetween, readCpuTimes } from './machine/noise.ts'
import { cpuUsOf, listProcesses, treeOf } from './machine/processes.ts'
import { percentile, type Round, type Verdict } from './results.ts'
import type { History, Load, Scenario } from './scenarios/scenario.ts'
import type { ServerOptions } from './servers/server.ts'
import { startServer } from './servers/start.ts'
import type { Side } from './sides.ts'
import { openStored } from './stored/open.ts'

/** A side that has been prepared for a scenario. */
export type SideRun = {
  side: Side
  run(load: Load, seconds: number): Promise<Round>
  /** Compares its database with what it acknowledged. */
  verdict(): Promise<Verdict>
  close(): Promise<unknown>
}

/** Fixed rates use at most so many connections. */
const rateConnections = 16
/** Logins queue up in this time before anything is measured beside them. */
const loginLeadMs = 500
const lowBcryptCost = 4

export type SideOptions = Omit<ServerOptions, 'bcryptCost'> & { connections: number }

/** CPU time of mongod so far, in microseconds; 0 where it is unknown. */
const mongodCpuUs = () => cpuUsOf(treeOf(process.pid, listProcesses()).filter(({ name }) => name.startsWith('mongod')))

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

/** Starts a server on a database of its own, and prepares it. @throws PeerUnavailable if a peer's tools are missing */
export async function openSide(
  side: Side,
  scenario: Scenario,
  connection: Connection,
  options: SideOptions,
): Promise<SideRun> {
  const uri = new URL(connection.uri)
  uri.pathname = `/bench_${scenario.name}_${side}`.replaceAll('-', '_')
  const own = { ...connection, uri: uri.href }
  const folder = await temporaryFolder('rookery-bench-')
  const dataDir = join(folder, side)
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 3 })]
  const close = async () => {
    for (const closer of closers.reverse()) await closer()
  }
  try {
    const { processes, profileDir } = options
    const serverOptions = { processes, profileDir, bcryptCost: scenario.bcryptCost ?? lowBcryptCost }
    const server = await startServer(side, own, serverOptions, dataDir)
    closers.push(server.stop)
    const stored = await openStored(side, own, dataDir)
    closers.push(stored.close)
    const [load, loginLoad] = [startLoad(), startLoad()]
    closers.push(load.stop, loginLoad.stop)
    const { port } = server
    const prepared = await scenario.prepare({ side, port, stored, connections: options.connections })
    const { plans, values, logins = [], check } = prepared
    let history: History = { done: plans.map(() => 0), refused: [] }
    const loginRefusals: number[] = []

    const logInFor = async (durationMs: number) => {
      const job = { port, durationMs, plans: logins, values: [], done: logins.map(() => 0) }
      const { refused } = await loginLoad.request(job)
      loginRefusals.push(...refused.map(({ status }) => status))
    }

    const request = async (planned: readonly Plan[], durationMs: number, perSecond: number | undefined) => {
      const done = history.done.slice(0, planned.length)
      const outcome = await load.request({ port, durationMs, perSecond, plans: planned, values, done })
      const count = sum(outcome.done) - sum(done)
      history = {
        done: [...outcome.done, ...history.done.slice(planned.length)],
        refused: [...history.refused, ...outcome.refused],
      }
      return { ...outcome, count }
    }

    const run = async (kind: Load, seconds: number): Promise<Round> => {
      const durationMs = seconds * 1_000
      const planned = plans.slice(0, 'connections' in kind ? kind.connections : rateConnections)
      const duringLogins = 'perSecond' in kind && kind.duringLogins
      const loggedIn = duringLogins ? logInFor(durationMs + loginLeadMs) : undefined
      if (loggedIn) await sleep(loginLeadMs)
      const before = { times: readCpuTimes(), server: await server.cpuUs(), mongod: mongodCpuUs() }
      const outcome = await request(planned, durationMs, 'perSecond' in kind ? kind.perSecond : undefined)
      const { count, inTime, latenciesMs } = outcome
      const cpuUs = {
        server: ((await server.cpuUs()) - before.server) / count,
        mongod: (mongodCpuUs() - before.mongod) / count,
        load: outcome.cpuUs / count,
      }
      const noise = noiseBetween(before.times, readCpuTimes())
      await loggedIn
      return {
        side,
        perSecond: inTime / seconds,
        ...('perSecond' in kind && {
          latencyMs: { p50: percentile(latenciesMs, 50), p99: percentile(latenciesMs, 99) },
        }),
        cpuUs,
        noise,
      }
    }
    const verdict = async (): Promise<Verdict> => ({
      scenario,
      side,
      refused: [...history.refused.map(({ status }) => status), ...loginRefusals],
      faults: await check(history),
    })
    return { side, run, verdict, close }
  } catch (error) {
    await close()
    throw error
  }
}
