import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ProcessMetrics } from '../operations/metrics.ts'
import type { MeasuredProcess } from '../operations/metrics-sum.ts'
import type { RefreshReason } from '../secrets/live.ts'
import type { Secrets } from '../secrets/secrets.ts'
import { StartError } from '../start-error.ts'
import type { PrimaryMessage, Role, StartMessage, WorkerMessage } from './messages.ts'

/** MongoDB sessions remembered for each worker: the driver reuses a few, so the least recent ones are closed. */
const maxSessions = 1_000
/** More than the readiness checks take, whose results are metrics. */
const metricsTimeoutMs = 2_500
/** Keys change at once. Connecting as a new database user takes a while if MongoDB does not respond. */
const updateTimeoutMs = { keys: 2_000, database: 20_000 }

export type WorkerExit = { status: number | string; startError: string | undefined }

export type WorkerHandle = MeasuredProcess & {
  pid: number | undefined
  /** Resolves with the worker's URL; rejects when the worker exits first, with its StartError if it sent one. */
  ready: Promise<string>
  exited: Promise<WorkerExit>
  sessions: ReadonlySet<string>
  onSign(listener: () => void): void
  /** The worker's metrics, or undefined when it does not answer within 2.5 seconds. */
  metrics(): Promise<ProcessMetrics | undefined>
  /** Resolves when the worker has changed its secrets, has refused to, has exited, or does not answer in time. */
  updateSecrets(changes: Partial<Secrets>): Promise<void>
  /** How many requests it cut off when it stopped. */
  cutRequests(): number
  /** @param isReplaced - another worker has its port and its clients by now */
  stop(isReplaced?: boolean): void
  kill(): void
}

type Options = {
  role: Role
  /** Called when the process is ready to start, so that it gets the newest secrets. */
  startMessage(): StartMessage
  refreshSecrets(reason: RefreshReason): Promise<void>
}

export function forkWorker({ role, startMessage, refreshSecrets }: Options): WorkerHandle {
  cluster.setupPrimary({
    exec: fileURLToPath(new URL('worker.ts', import.meta.url)),
    args: [role],
    // A signal must not open the debugger's port.
    execArgv: ['--disable-sigusr1'],
    serialization: 'advanced',
  })
  const worker = cluster.fork()
  const ready = Promise.withResolvers<string>()
  const exited = Promise.withResolvers<WorkerExit>()
  let startError: string | undefined
  let cutRequests = 0
  const gone = Promise.withResolvers<void>()
  const metricsListeners: ((metrics: ProcessMetrics) => void)[] = []
  let resolveMetrics = (_: ProcessMetrics) => {}
  let resolveUpdate = () => {}
  const sessions = new Set<string>()
  // Sending to an exiting worker fails; its exit event follows.
  const send = (message: PrimaryMessage) => worker.send(message, () => undefined)
  worker.once('online', () => send(startMessage()))
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'ready') ready.resolve(message.url)
    else if (message.kind === 'metrics') {
      for (const listener of metricsListeners) listener(message.metrics)
      resolveMetrics(message.metrics)
    } else if (message.kind === 'secrets-updated') resolveUpdate()
    else if (message.kind === 'cut') cutRequests = message.requests
    else if (message.kind === 'refresh-secrets')
      refreshSecrets(message.reason).finally(() => send({ kind: 'secrets-refreshed', id: message.id }))
    else if (message.kind === 'start-error') {
      startError = message.message
      ready.reject(message.fault ? new StartError(message.message, message.fault) : new Error(message.message))
    } else if (message.kind === 'session') addSession(message.id)
  })
  worker.on('error', (error) => {
    ready.reject(error)
    // A process that could not be started has no exit.
    if (worker.process.pid === undefined) {
      exited.resolve({ status: 'not started', startError: error.message })
      gone.resolve()
    }
  })
  // After its last message, which its exit might precede.
  worker.once('disconnect', () => gone.resolve())
  worker.once('exit', (code, signal) => {
    const status = signal ?? code
    exited.resolve({ status, startError })
    ready.reject(new Error(`the ${role} process ended before it was ready (${status})`))
  })
  function addSession(id: string): void {
    sessions.add(id)
    for (const oldest of sessions) {
      if (sessions.size <= maxSessions) break
      sessions.delete(oldest)
    }
  }
  // `ready` of a replacement worker is never awaited: an unhandled rejection would end the primary.
  ready.promise.catch(() => undefined)
  return {
    pid: worker.process.pid,
    ready: ready.promise,
    exited: exited.promise,
    sessions,
    gone: gone.promise,
    onMetrics: (listener) => void metricsListeners.push(listener),
    onSign: (listener) => void worker.on('message', listener),
    async metrics() {
      const answer = new Promise<ProcessMetrics>((resolve) => {
        resolveMetrics = resolve
      })
      if (!worker.isConnected()) return undefined
      send({ kind: 'metrics' })
      return Promise.race([answer, sleep(metricsTimeoutMs, undefined, { ref: false })])
    },
    async updateSecrets(changes) {
      const updated = new Promise<void>((resolve) => {
        resolveUpdate = resolve
      })
      if (!worker.isConnected()) return
      send({ kind: 'secrets', changes })
      await Promise.race([
        updated,
        exited.promise,
        sleep(updateTimeoutMs[changes.database ? 'database' : 'keys'], undefined, { ref: false }),
      ])
    },
    cutRequests: () => cutRequests,
    stop: (isReplaced = false) => void (worker.isConnected() && send({ kind: 'stop', isReplaced })),
    kill: () => void worker.process.kill('SIGKILL'),
  }
}
