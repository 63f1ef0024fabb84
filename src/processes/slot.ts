import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOffMs } from '../back-off.ts'
import type { Role } from './messages.ts'
import { watchWorker } from './watchdog.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** A worker that has run this long did not fail at its start: the back-off starts over. */
const stableAfterMs = 60_000
/** A worker that has run this long got enough CPU: the next silence is noticed as soon as the first. */
const responsiveAfterMs = 15_000

/** Killing a session twice is harmless, so only their number is limited. */
const maxOrphanedSessions = 2_000

export type ReplacementReason = 'exited' | 'silent'

export type Slot = {
  role: Role
  ready: Promise<string>
  /** Those that can answer: the present worker, and one that it is replacing. */
  workers(): readonly WorkerHandle[]
  updateSecrets: WorkerHandle['updateSecrets']
  silentMs(): number
  /**
   * Starts another worker, and stops the present one when that one is ready: no request fails. Resolves with the number
   * of requests that it cut off.
   * @throws what keeps the other worker from starting; the present one stays then
   */
  replace(): Promise<number>
  /** Resolves, once the worker has exited, with the number of requests that it cut off. */
  stop(): Promise<number>
  kill(): void
}

/** Replaces a worker that exits or hangs, with exponential back-off. `fork` gets the sessions that the new one must kill. */
export function superviseSlot(
  role: Role,
  fork: (orphanedSessions: readonly string[]) => WorkerHandle,
  log: FastifyBaseLogger,
  onReplaced: (reason: ReplacementReason) => void = () => {},
): Slot {
  const stopping = new AbortController()
  let orphanedSessions: readonly string[] = []
  let kills = 0
  let worker = fork(orphanedSessions)
  let watch = watchOver(worker)
  const first = worker.ready
  /** Workers that start to replace the present one, or have been replaced by it. */
  const others = new Set<WorkerHandle>()
  let replaced = Promise.withResolvers<'replaced'>()
  /** While a worker starts that is to replace the present one: settles when it is ready, or will never be. */
  let successor: Promise<unknown> | undefined
  const ready = new WeakSet<WorkerHandle>()

  function watchOver(watched: WorkerHandle) {
    watched.ready.then(
      () => ready.add(watched),
      () => undefined,
    )
    const onSilent = (silentMs: number) =>
      log.warn({ role, workerPid: watched.pid, silentMs }, 'worker gives no sign of life: killing it')
    return watchWorker(watched, { kills, onSilent })
  }

  async function supervise(): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      const startedAt = performance.now()
      const current = worker
      const exit = await Promise.race([current.exited, replaced.promise])
      if (exit === 'replaced') {
        replaced = Promise.withResolvers()
        failures = -1
        continue
      }
      watch.close()
      if (stopping.signal.aborted) return
      const { status: exitStatus, startError } = exit
      const ranMs = performance.now() - startedAt
      if (ranMs > stableAfterMs) failures = 0
      if (ranMs > responsiveAfterMs) kills = 0
      if (watch.isSilent()) kills += 1
      log.warn({ role, workerPid: current.pid, exitStatus, startError }, 'worker exited unexpectedly: restarting it')
      onReplaced(watch.isSilent() ? 'silent' : 'exited')
      await sleep(backOffMs(failures), undefined, { signal: stopping.signal }).catch(() => undefined)
      // Two that start at once could take the socket from each other.
      await successor
      if (stopping.signal.aborted) return
      if (worker !== current) continue
      // A worker that exited before it was ready might not have killed the sessions of earlier ones.
      orphanedSessions = [...orphanedSessions, ...worker.sessions].slice(-maxOrphanedSessions)
      worker = fork(orphanedSessions)
      watch = watchOver(worker)
    }
  }

  function takeOver(next: WorkerHandle): WorkerHandle {
    const outgoing = worker
    watch.close()
    worker = next
    watch = watchOver(next)
    replaced.resolve('replaced')
    return outgoing
  }

  /** stop(), kill(), new secrets and the watchdog reach `other` while `work` runs. */
  async function whileTracked<Result>(other: WorkerHandle, work: () => Promise<Result>): Promise<Result> {
    others.add(other)
    const watchOther = watchOver(other)
    try {
      return await work()
    } finally {
      watchOther.close()
      others.delete(other)
    }
  }

  async function replace(): Promise<number> {
    if (stopping.signal.aborted) return 0
    const next = fork(orphanedSessions)
    const starting = whileTracked(next, async () => {
      await next.ready
      if (stopping.signal.aborted) await next.exited
    })
    successor = starting.catch(() => undefined)
    try {
      await starting
    } finally {
      successor = undefined
    }
    if (stopping.signal.aborted) return 0
    const outgoing = takeOver(next)
    return whileTracked(outgoing, async () => {
      // One that still starts would, when it is ready, take the port or the socket.
      if (ready.has(outgoing)) outgoing.stop(true)
      else outgoing.kill()
      await outgoing.exited
      return outgoing.cutRequests()
    })
  }

  const supervised = supervise()
  return {
    role,
    ready: first,
    workers: () => [worker, ...[...others].filter((other) => ready.has(other))],
    updateSecrets: async (changes) =>
      void (await Promise.all([worker, ...others].map((each) => each.updateSecrets(changes)))),
    silentMs: () => watch.silentMs(),
    kill() {
      for (const each of [worker, ...others]) each.kill()
    },
    replace,
    async stop() {
      stopping.abort()
      const all = [worker, ...others]
      for (const each of all) each.stop()
      await Promise.all([supervised, ...[...others].map(({ exited }) => exited)])
      return all.reduce((sum, each) => sum + each.cutRequests(), 0)
    },
  }
}
