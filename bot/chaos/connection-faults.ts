import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BeginFault, momentaryFault, type OngoingFault } from './fault.ts'
import type { Effect, FaultProxy } from './fault-proxy.ts'
import { randomMs, seconds } from './random-time.ts'

/** Half of the faults hit a commit, after which the server does not know the outcome. */
const commands = [
  ...(['commitTransaction', 'find', 'commitTransaction', 'update'] as const),
  ...(['commitTransaction', 'insert', 'commitTransaction', 'aggregate'] as const),
]
const commandTimeoutMs = 5_000

const oneOf = <Item>(items: readonly Item[]): Item | undefined => items[randomInt(items.length)]

/** Faults between the server and MongoDB: of one command, and of all connections for a few seconds. */
export function connectionFaults(proxy: FaultProxy) {
  /** Waits until the server sends the command. */
  async function hit(effect: Effect, says: string, stop: AbortSignal): Promise<OngoingFault | undefined> {
    const command = oneOf(commands) ?? 'commitTransaction'
    const armed = proxy.arm({ command, effect })
    const deadline = performance.now() + commandTimeoutMs
    while (armed.happened() === 0 && !stop.aborted && performance.now() < deadline) await sleep(10)
    armed.disarm()
    return armed.happened() === 0 ? undefined : momentaryFault(`${command} ${says}`)
  }

  async function hold(stop: AbortSignal): Promise<OngoingFault | undefined> {
    const holdMs = randomMs(500, 8_000)
    const held = await hit({ holdMs }, `held for ${seconds(holdMs)}`, stop)
    return held && { ...held, lastsMs: holdMs }
  }

  function during(detail: string, begin: () => void, end: () => void): OngoingFault {
    const lastsMs = randomMs(1_000, 8_000)
    begin()
    return { detail: `${detail} for ${seconds(lastsMs)}`, lastsMs, end: async () => void end() }
  }

  return {
    'lost-command': (stop) => hit('drop', 'lost', stop),
    'lost-reply': (stop) => hit('drop-reply', 'answered, its reply lost', stop),
    'late-command': hold,
    'cut-connection': (stop) =>
      randomInt(2) === 0
        ? hit('cut', 'cut before MongoDB received it', stop)
        : hit('cut-reply', 'cut when MongoDB had answered', stop),
    'delayed-replies': async () => {
      const delayMs = randomMs(50, 1_200)
      return during(
        `each reply ${delayMs} ms late`,
        () => proxy.delayReplies(delayMs),
        () => proxy.delayReplies(0),
      )
    },
    'frozen-link': async () => {
      const direction = randomInt(2) === 0 ? 'requests' : 'replies'
      return during(`no ${direction}`, () => proxy.freeze(direction), proxy.thaw)
    },
    disconnected: async () => during('no connection', proxy.disconnect, proxy.reconnect),
  } satisfies Record<string, BeginFault>
}
