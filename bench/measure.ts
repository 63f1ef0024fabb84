import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../src/database/connection.ts'
import { PeerUnavailable } from './peers/install.ts'
import type { Measured, Results, Round } from './results.ts'
import type { Load, Scenario } from './scenarios/scenario.ts'
import { openSide, type SideOptions, type SideRun } from './side-run.ts'
import type { Side } from './sides.ts'

export type Settings = Omit<SideOptions, 'connections'> & {
  seconds: number
  rounds: number
  /** Whether fixed rates are measured, too. */
  rates: boolean
  /** The numbers of connections of closed loops; undefined: all that a scenario has. */
  connections: readonly number[] | undefined
  /** The servers to compare with. */
  peers: readonly Side[]
  /** Ends a scenario after the current round. */
  stop: AbortSignal
  /** Called after each round; rounds below 1 are the warm-up. */
  onRound(scenario: Scenario, load: Load, round: number, results: readonly Round[]): void
  /** Called for a peer whose tools are missing. */
  onUnavailable(side: Side, reason: string): void
}

/** Lets MongoDB finish a round's writes. */
const pauseMs = 200
/** Open loops have no number of connections of their own. */
const fewestConnections = 16

/** The loads that the settings choose. */
const loadsOf = ({ loads }: Scenario, { connections, rates }: Settings): Load[] =>
  loads.filter((load) => ('connections' in load ? (connections?.includes(load.connections) ?? true) : rates))

/** Whether a side is measured under a load. */
const isMeasured = ({ onlyAt }: Scenario, side: Side, load: Load): boolean => {
  const only = onlyAt?.[side]
  return only === undefined || ('connections' in load && load.connections === only)
}

/** Opens every side that can be had, one after another: a server that starts needs a core. */
async function openSides(scenario: Scenario, loads: readonly Load[], connection: Connection, settings: Settings) {
  const wanted = ([...scenario.against, 'rookery'] as const).filter(
    (side) =>
      (side === 'rookery' || settings.peers.includes(side)) && loads.some((load) => isMeasured(scenario, side, load)),
  )
  const connections = Math.max(
    fewestConnections,
    ...loads.map((load) => ('connections' in load ? load.connections : 0)),
  )
  const runs: SideRun[] = []
  try {
    for (const side of wanted) {
      try {
        runs.push(await openSide(side, scenario, connection, { ...settings, connections }))
      } catch (error) {
        if (!(error instanceof PeerUnavailable)) throw error
        settings.onUnavailable(side, error.message)
      }
    }
    return runs
  } catch (error) {
    await Promise.all(runs.map((run) => run.close()))
    throw error
  }
}

/** Each round begins with another side. */
const rotated = <Item>(items: readonly Item[], by: number): Item[] => {
  const at = ((by % items.length) + items.length) % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}

async function measureLoad(
  scenario: Scenario,
  load: Load,
  sides: readonly SideRun[],
  settings: Settings,
  warmUps: number,
) {
  const { seconds, rounds, stop, onRound } = settings
  const measured: Measured = { scenario, load, rounds: [] }
  const taking = sides.filter(({ side }) => isMeasured(scenario, side, load))
  for (let round = 1 - warmUps; round <= rounds && !stop.aborted; round += 1) {
    const results: Round[] = []
    for (const side of rotated(taking, round)) {
      results.push(await side.run(load, seconds))
      await sleep(pauseMs)
    }
    onRound(scenario, load, round, results)
    if (round > 0) measured.rounds.push(results)
  }
  return measured
}

/** Measures a scenario. The sides alternate, so that noise of the machine affects all. */
export async function measure(scenario: Scenario, connection: Connection, settings: Settings): Promise<Results> {
  const loads = loadsOf(scenario, settings)
  if (loads.length === 0) return { measured: [], verdicts: [] }
  const sides = await openSides(scenario, loads, connection, settings)
  try {
    const measured: Measured[] = []
    for (const [n, load] of loads.entries()) {
      // V8 compiles the servers' code in the first rounds.
      const warmUps = n === 0 ? 2 : 1
      if (!settings.stop.aborted) measured.push(await measureLoad(scenario, load, sides, settings, warmUps))
    }
    const verdicts = []
    for (const side of sides) verdicts.push(await side.verdict())
    return { measured, verdicts }
  } finally {
    await Promise.all(sides.map((side) => side.close()))
  }
}
