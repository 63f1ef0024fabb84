import { setTimeout as delay } from 'node:timers/promises'
import { backOff } from '../back-off.ts'
import { rotateLog } from './log-file.ts'
import type { Logger } from './logger.ts'
import type { MongodProcess } from './mongod-process.ts'

const stableAfterMs = 60_000
const rotationIntervalMs = 60_000

/**
 * Starts mongod again, on the same port, each time it is gone, and keeps its log small.
 * @param again starts a mongod
 */
export function superviseMongod(
  first: MongodProcess,
  again: () => Promise<MongodProcess>,
  logFile: string,
  log: Logger,
) {
  const closing = new AbortController()
  let mongod = first
  const rotation = setInterval(() => void rotate(mongod, logFile).catch(() => undefined), rotationIntervalMs).unref()

  async function watch(): Promise<void> {
    let failures = 0
    let startedAt = Date.now()
    for (;;) {
      const exitCode = await mongod.exited
      if (closing.signal.aborted) return
      const goneAt = Date.now()
      if (goneAt - startedAt > stableAfterMs) failures = 0
      if (failures === 0) log.warn(`MongoDB ended unexpectedly (exit code ${exitCode}): starting it again`)
      await delay(backOff(failures++), undefined, { signal: closing.signal }).catch(() => undefined)
      if (closing.signal.aborted) return
      startedAt = Date.now()
      mongod = await again().catch((error: Error) => {
        log.error(`MongoDB does not start: ${error.message}`)
        return mongod
      })
      if (closing.signal.aborted) return await mongod.stop()
      void logOutcome(mongod, goneAt)
    }
  }

  async function logOutcome(started: MongodProcess, goneAt: number): Promise<void> {
    const opened = await started.listening
    if (closing.signal.aborted) return
    if (opened) return log.info(`MongoDB runs again after ${((Date.now() - goneAt) / 1_000).toFixed(1)} s`)
    const { kind, message } = await started.startFailure()
    // The one before is closing on its own: it is waited for.
    if (kind !== 'data in use') log.error(`MongoDB does not start: ${message}`)
  }

  const watching = watch()
  return {
    end: async () => {
      closing.abort()
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
