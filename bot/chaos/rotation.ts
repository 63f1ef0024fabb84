import { setTimeout as sleep } from 'node:timers/promises'
import { printLine } from '../cli.ts'
import { isRunning, type LocalServer, spawnServer, waitUntilReady } from '../spawn-server.ts'
import type { BeginFault, FaultName } from './fault.ts'
import { seconds } from './random-time.ts'

/** How often each fault was tried, and how often it happened. */
export type Tally = Map<FaultName, { tried: number; happened: number }>

/** Takes one fault after the other; each call of `run` continues where the last one stopped. */
export function faultRotation(
  server: LocalServer,
  names: readonly FaultName[],
  faults: Record<FaultName, BeginFault>,
  pauseMs: number,
) {
  let next = 0

  async function takeNext(tally: Tally, stop: AbortSignal): Promise<void> {
    const name = names[next % names.length]
    if (name === undefined) return
    next += 1
    const count = tally.get(name) ?? { tried: 0, happened: 0 }
    tally.set(name, { ...count, tried: count.tried + 1 })
    const fault = await faults[name](stop)
    if (!fault) return
    tally.set(name, { tried: count.tried + 1, happened: count.happened + 1 })
    await sleep(fault.lastsMs, undefined, { signal: stop }).catch(() => undefined)
    const note = await fault.end()
    const endedAt = performance.now()
    if (!isRunning(server.program)) server.program = spawnServer(server.settings)
    const isReady = await waitUntilReady(server)
    const recovery = isReady ? `ready after ${seconds(performance.now() - endedAt)}` : 'the server did not recover'
    printLine(`${new Date().toISOString()} ${name}: ${[fault.detail, note].filter(Boolean).join(', ')}; ${recovery}`)
    if (!isReady) throw new Error(`the server did not recover from ${name}`)
  }

  return {
    /** Runs until `stop` aborts. @throws Error when the server does not recover */
    async run(stop: AbortSignal): Promise<Tally> {
      const tally: Tally = new Map(names.map((name) => [name, { tried: 0, happened: 0 }]))
      for (;;) {
        await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined)
        if (stop.aborted) return tally
        await takeNext(tally, stop)
      }
    },
  }
}

export type FaultRotation = ReturnType<typeof faultRotation>

/** Such as `kill-mongod 2, lost-command 1 of 2 tried`. */
export function describeTally(tally: Tally): string {
  return [...tally]
    .map(([name, { tried, happened }]) => `${name} ${happened}${tried > happened ? ` of ${tried} tried` : ''}`)
    .join(', ')
}
