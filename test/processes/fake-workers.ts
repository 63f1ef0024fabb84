import { pino } from 'pino'
import type { Test } from 'tap'
import { type ReplacementReason, superviseSlot } from '../../src/processes/slot.ts'
import type { WorkerExit, WorkerHandle } from '../../src/processes/worker-handle.ts'
import { eventually } from '../eventually.ts'

type Started = {
  at: number
  orphanedSessions: readonly string[]
  exit: (status: number | string) => void
  ready: PromiseWithResolvers<string>
  stops: boolean[]
  updates: number
}

/**
 * Worker handles without processes: each exits when it is stopped or the test says so, and gives signs of life unless it
 * hangs. The first is ready at once, and the others with `areReadyAtOnce`, or when the test says so.
 */
export function fakeWorkers(t: Test, isHanging = () => false, areReadyAtOnce = false) {
  const started: Started[] = []
  const fork = (orphanedSessions: readonly string[]): WorkerHandle => {
    const exited = Promise.withResolvers<WorkerExit>()
    const exit = (status: number | string) =>
      exited.resolve({ status, startError: status === 1 ? 'the reason' : undefined })
    const ready = Promise.withResolvers<string>()
    if (started.length === 0 || areReadyAtOnce) ready.resolve('a url')
    // As of a real worker: a replacement's `ready` may have no reader.
    ready.promise.catch(() => undefined)
    exited.promise.then(() => ready.reject(new Error('ended before it was ready')))
    const stops: boolean[] = []
    const entry = { at: performance.now(), orphanedSessions, exit, ready, stops, updates: 0 }
    started.push(entry)
    const sessions = new Set([`session ${started.length}`])
    const stop = (isReplaced = false) => {
      stops.push(isReplaced)
      exit(0)
    }
    return {
      pid: started.length,
      ready: ready.promise,
      exited: exited.promise,
      sessions,
      onSign(listener) {
        const timer = setInterval(() => void (isHanging() || listener()), 100)
        t.teardown(() => clearInterval(timer))
      },
      metrics: async () => undefined,
      onMetrics: () => undefined,
      gone: exited.promise.then(() => undefined),
      async updateSecrets() {
        entry.updates += 1
      },
      cutRequests: () => 0,
      stop,
      kill: () => exit('SIGKILL'),
    }
  }
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) })
  const until = (count: number) => eventually(() => started.length >= count, { everyMs: 5 })
  const replaced: ReplacementReason[] = []
  const slot = superviseSlot('writer', fork, log, (reason) => void replaced.push(reason))
  return { started, lines, replaced, until, slot }
}
