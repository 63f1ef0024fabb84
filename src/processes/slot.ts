import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOffMs } from '../back-off.ts'
import type { Role } from './messages.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** A worker that has run this long did not fail at its start: the back-off starts over. */
const stableAfterMs = 60_000

/** Killing a session twice is harmless, so only their number is limited. */
const maxOrphanedSessions = 2_000

export type Slot = {
  ready: Promise<string>
  metrics: WorkerHandle['metrics']
  updateSecrets: WorkerHandle['updateSecrets']
  stop(): Promise<void>
  kill(): void
}

/** Replaces a worker that exits, with exponential back-off. `fork` gets the sessions that the new worker must kill. */
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
      const { status: exitStatus, startError } = await worker.exited
      if (stopping.signal.aborted) return
      if (performance.now() - startedAt > stableAfterMs) failures = 0
      log.warn({ role, workerPid: worker.pid, exitStatus, startError }, 'worker exited unexpectedly: restarting it')
      await sleep(backOffMs(failures), undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      // A worker that exited before it was ready might not have killed the sessions of earlier ones.
      orphanedSessions = [...orphanedSessions, ...worker.sessions].slice(-maxOrphanedSessions)
      worker = fork(orphanedSessions)
    }
  }

  const supervised = supervise()
  return {
    ready,
    metrics: () => worker.metrics(),
    updateSecrets: (changes) => worker.updateSecrets(changes),
    kill: () => worker.kill(),
    async stop() {
      stopping.abort()
      worker.stop()
      await supervised
    },
  }
}
