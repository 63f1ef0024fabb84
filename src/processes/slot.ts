import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOff } from '../back-off.ts'
import type { Role } from './messages.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** A worker that has run this long did not fail at its start: the back-off starts over. */
const stableAfterMs = 60_000

/** Killing a session twice is harmless, so only their number is limited. */
const maxOrphanedSessions = 2_000

/** A slot of the cluster: one worker at a time, replaced when it dies. */
export type Slot = {
  /** `ready` of the first worker. */
  ready: Promise<string>
  /** `metrics` of the current worker. */
  metrics: WorkerHandle['metrics']
  /** Drains the current worker without replacing it; resolves when it has exited. */
  stop(): Promise<void>
  /** Kills the current worker. */
  kill(): void
}

/**
 * Keeps a slot filled: replaces a worker that dies, with exponential back-off.
 * @param fork starts a worker, which first kills the sessions that earlier workers of the slot may have left open
 */
export function superviseSlot(
  role: Role,
  fork: (orphanedSessions: readonly string[]) => WorkerHandle,
  log: FastifyBaseLogger,
): Slot {
  const stopping = new AbortController()
  let orphanedSessions: readonly string[] = []
  let worker = fork(orphanedSessions)
  const { ready } = worker

  async function supervise(): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      const startedAt = performance.now()
      const { status, startError } = await worker.exited
      if (stopping.signal.aborted) return
      if (performance.now() - startedAt > stableAfterMs) failures = 0
      log.warn({ role, workerPid: worker.pid, status, startError }, 'worker exited unexpectedly: restarting it')
      await sleep(backOff(failures), undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      // A worker that died before it was ready may not have killed the sessions of those before it.
      orphanedSessions = [...orphanedSessions, ...worker.sessions].slice(-maxOrphanedSessions)
      worker = fork(orphanedSessions)
    }
  }

  const supervised = supervise()
  return {
    ready,
    metrics: () => worker.metrics(),
    kill: () => worker.kill(),
    async stop() {
      stopping.abort()
      worker.stop()
      await supervised
    },
  }
}
