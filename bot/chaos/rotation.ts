import { setTimeout as sleep } from 'node:timers/promises'
import { printLine } from '../cli.ts'
import { isRunning, type LocalServer, spawnServer, waitUntilReady } from '../spawn-server.ts'
import { type BeginFault, type FaultName, timesNeeded } from './fault.ts'
import { seconds } from './random-time.ts'

const maxStarts = 3

/** How often each fault was tried, and how often it happened. */
export type Tally = Map<FaultName, { tried: number; happened: number }>

/**
 * Takes one fault after the other, leaving out those that have happened often enough; each call of `run` continues where
 * the last one stopped.
 */
export function faultRotation(
  server: LocalServer,
  names: readonly FaultName[],
  faults: Record<FaultName, BeginFault>,
  pauseMs: number,
) {
  let next = 0

  async function takeNext(tally: Tally, missing: readonly FaultName[], stop: AbortSignal): Promise<void> {
    const name = [...names.slice(next), ...names].find((candidate) => missing.includes(candidate))
    if (name === undefined) return
    next = names.indexOf(name) + 1
    const count = tally.get(name) ?? { tried: 0, happened: 0 }
    tally.set(name, { ...count, tried: count.tried + 1 })
    const fault = await faults[name](stop)
    if (fault) tally.set(name, { tried: count.tried + 1, happened: count.happened + 1 })
    else if (isRunning(server.program)) return
    await sleep(fault?.lastsMs, undefined, { signal: stop }).catch(() => undefined)
    const note = await fault?.end()
    const endedAt = performance.now()
    const isReady = await recover(server)
    const recovery = isReady ? `ready after ${seconds(performance.now() - endedAt)}` : 'the server did not recover'
    const detail = [fault?.detail ?? 'no server', note].filter(Boolean).join(', ')
    printLine(`${new Date().toISOString()} ${name}: ${detail}; ${recovery}`)
    if (!isReady) throw new Error(`the server did not recover from ${name}`)
  }

  return {
    /**
     * Runs until each fault has happened often enough, or `stop` aborts.
     * @throws Error when the server does not recover
     */
    async run(stop: AbortSignal): Promise<Tally> {
      const tally: Tally = new Map(names.map((name) => [name, { tried: 0, happened: 0 }]))
      while (missingIn(tally).length > 0) {
        await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined)
        if (stop.aborted) break
        await takeNext(tally, missingIn(tally), stop)
      }
      return tally
    },
  }
}

/** Starts the server when it has exited, as a supervisor does: a kill of one of its processes ends a server that starts. */
async function recover(server: LocalServer): Promise<boolean> {
  for (let starts = 0; starts < maxStarts; starts += 1) {
    if (!isRunning(server.program)) server.program = spawnServer(server)
    if (await waitUntilReady(server)) return true
    if (isRunning(server.program)) return false
  }
  return false
}

export type FaultRotation = ReturnType<typeof faultRotation>

/** The faults that have not happened often enough. */
function missingIn(tally: Tally): FaultName[] {
  return [...tally].flatMap(([name, { happened }]) => (happened < timesNeeded(name) ? [name] : []))
}

/** Why a round shows nothing, or null: such as `nothing shown: kill-api happened 2 of 3 times`. */
export function describeMissing(tally: Tally): string | null {
  const missing = missingIn(tally).map(
    (name) => `${name} happened ${tally.get(name)?.happened} of ${timesNeeded(name)} times`,
  )
  return missing.length === 0 ? null : `nothing shown: ${missing.join(', ')}`
}

/** Such as `kill-mongod 2, lost-command 1 of 2 tried`. */
export function describeTally(tally: Tally): string {
  return [...tally]
    .map(([name, { tried, happened }]) => `${name} ${happened}${tried > happened ? ` of ${tried} tried` : ''}`)
    .join(', ')
}
