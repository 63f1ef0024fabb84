import { setTimeout as delay } from 'node:timers/promises'
import { backOffMs } from '../back-off.ts'
import { rotateLog } from './log-file.ts'
import type { Logger } from './logger.ts'
import type { MongodProcess } from './mongod-process.ts'

const stableAfterMs = 60_000
const rotationIntervalMs = 60_000

/** Restarts mongod each time it exits, with exponential back-off, and rotates its log. */
export function superviseMongod(
  first: MongodProcess,
  restart: () => Promise<MongodProcess>,
  logFile: string,
  log: Logger,
) {
  const stopping = new AbortController()
  let mongod = first
  const rotation = setInterval(() => void rotate(mongod, logFile).catch(() => undefined), rotationIntervalMs).unref()

  async function watch(): Promise<void> {
    let failures = 0
    let startedAt = Date.now()
    for (;;) {
      const exitCode = await mongod.exited
      if (stopping.signal.aborted) return
      const exitedAt = Date.now()
      if (exitedAt - startedAt > stableAfterMs) failures = 0
      if (failures === 0) log.warn(`mongod exited unexpectedly (exit code ${exitCode}): restarting it`)
      await delay(backOffMs(failures++), undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      startedAt = Date.now()
      mongod = await restart().catch((error: Error) => {
        log.error(`mongod does not start: ${error.message}`)
        return mongod
      })
      if (stopping.signal.aborted) return await mongod.stop()
      void logOutcome(mongod, exitedAt)
    }
  }

  async function logOutcome(started: MongodProcess, exitedAt: number): Promise<void> {
    const opened = await started.listening
    if (stopping.signal.aborted) return
    if (opened) return log.info(`mongod is running again after ${((Date.now() - exitedAt) / 1_000).toFixed(1)} s`)
    const { kind, message } = await started.startFailure()
    // The previous mongod is still shutting down: the next restart succeeds.
    if (kind !== 'data in use') log.error(`mongod does not start: ${message}`)
  }

  const watching = watch()
  return {
    stop: async () => {
      stopping.abort()
      clearInterval(rotation)
      await mongod.stop()
      await watching
    },
  }
}

async function rotate(mongod: MongodProcess, logFile: string): Promise<void> {
  const pid = mongod.pid()
  if (pid !== undefined && (await rotateLog(logFile))) process.kill(pid, 'SIGUSR1')
}
