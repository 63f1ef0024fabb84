import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Measured } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'
import type { Begin, Order, Report } from './orders.ts'

/** The driver uses the same few again and again: those used longest ago are of no more interest. */
const mostSessions = 1_000
/** In milliseconds. */
const metricsWithin = 1_000

/** A process of the cluster, as its primary sees it. */
export type Child = {
  pid: number | undefined
  /** Resolves with its URL when it is ready; rejects when it ends before that, with a StartError if it said why. */
  ready: Promise<string>
  /** Resolves when it has ended, with its exit code or the signal that killed it, and with what it said was the fault. */
  gone: Promise<{ how: number | string; fault: string | undefined }>
  /** The sessions of MongoDB that it has used, by id. */
  sessions: ReadonlySet<string>
  /** What it has measured; undefined if it does not answer within a second. */
  metrics(): Promise<Measured | undefined>
  /** Asks it to finish what it has begun, and to end. */
  end(): void
  /** Ends it at once. */
  kill(): void
}

/** Starts a process of the cluster with its orders. */
export function startChild(begin: Begin): Child {
  cluster.setupPrimary({
    exec: fileURLToPath(new URL('worker.ts', import.meta.url)),
    args: [begin.role],
    execArgv: [],
    serialization: 'advanced',
  })
  const worker = cluster.fork()
  const ready = Promise.withResolvers<string>()
  const gone = Promise.withResolvers<{ how: number | string; fault: string | undefined }>()
  let fault: string | undefined
  let measured = (_: Measured) => {}
  const sessions = new Set<string>()
  // A process that is ending cannot be told anything: its exit says the rest.
  const order = (what: Order) => worker.send(what, () => undefined)
  worker.once('online', () => order(begin))
  worker.on('message', (report: Report) => {
    if (report.kind === 'ready') ready.resolve(report.url)
    else if (report.kind === 'metrics') measured(report.metrics)
    else if (report.kind === 'fault') {
      fault = report.message
      ready.reject(new StartError(report.message))
    } else if (report.kind === 'session') noteSession(report.id)
  })
  worker.on('error', (error) => ready.reject(error))
  worker.once('exit', (code, signal) => {
    gone.resolve({ how: signal ?? code, fault })
    ready.reject(new Error(`the ${begin.role} process ended before it was ready (${signal ?? code})`))
  })
  function noteSession(id: string): void {
    sessions.add(id)
    for (const oldest of sessions) {
      if (sessions.size <= mostSessions) break
      sessions.delete(oldest)
    }
  }
  // Without a handler, a rejection that nobody waits for would end the primary.
  ready.promise.catch(() => undefined)
  return {
    pid: worker.process.pid,
    ready: ready.promise,
    gone: gone.promise,
    sessions,
    async metrics() {
      const answer = new Promise<Measured>((resolve) => {
        measured = resolve
      })
      if (!worker.isConnected()) return undefined
      order({ kind: 'metrics' })
      return Promise.race([answer, sleep(metricsWithin, undefined, { ref: false })])
    },
    end: () => void (worker.isConnected() && order({ kind: 'end' })),
    kill: () => void worker.process.kill('SIGKILL'),
  }
}
