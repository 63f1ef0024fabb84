import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOff } from '../back-off.ts'
import type { Child } from './child.ts'
import type { Role } from './orders.ts'

/** A process that has run for so long did not fail at its start, in milliseconds. */
const steady = 60_000

/** As many sessions of MongoDB are remembered of those that died. To end one twice does no harm. */
const mostAbandoned = 2_000

/** A place in the cluster, whatever process fills it at the moment. */
export type Place = {
  /** The first process's: see Child. */
  ready: Promise<string>
  /** What the process at the moment has measured: see Child. */
  metrics: Child['metrics']
  /** Lets the process finish what it has begun; resolves when it has ended, and no other takes its place. */
  end(): Promise<void>
  /** Ends the process at once. */
  kill(): void
}

/**
 * Keeps a place in the cluster filled: a process that dies is replaced, after a wait that grows while it goes on dying.
 *
 * @param start - starts a process, and is told which sessions of MongoDB the one before may have left open.
 */
export function respawn(role: Role, start: (abandoned: readonly string[]) => Child, log: FastifyBaseLogger): Place {
  const ending = new AbortController()
  let abandoned: readonly string[] = []
  let child = start(abandoned)
  const { ready } = child

  async function keep(): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      const from = performance.now()
      const { how, fault } = await child.gone
      if (ending.signal.aborted) return
      if (performance.now() - from > steady) failures = 0
      const why = fault === undefined ? '' : `, ${fault}`
      log.warn({ role, how }, `The ${role} process ${child.pid} ended unexpectedly (${how}${why}): starting another`)
      await sleep(backOff(failures), undefined, { signal: ending.signal }).catch(() => undefined)
      if (ending.signal.aborted) return
      // One that died before it was ready may not have ended its predecessor's sessions: those are passed on, too.
      abandoned = [...abandoned, ...child.sessions].slice(-mostAbandoned)
      child = start(abandoned)
    }
  }

  const kept = keep()
  return {
    ready,
    metrics: () => child.metrics(),
    kill: () => child.kill(),
    async end() {
      ending.abort()
      child.end()
      await kept
    },
  }
}
