import { setTimeout as delay } from 'node:timers/promises'
import { backOff } from '../../back-off.ts'
import type { Launched } from './launch.ts'
import type { Log } from './log.ts'
import { rotateLog } from './log-file.ts'

const steadyMs = 60_000
const rotationMs = 60_000

/**
 * Starts mongod again, on the same port, each time it is gone, and keeps its log small.
 * @param again starts a mongod
 */
export function keepRunning(first: Launched, again: () => Promise<Launched>, logFile: string, log: Log) {
  const closing = new AbortController()
  let mongod = first
  const rotation = setInterval(() => void rotate(mongod, logFile).catch(() => undefined), rotationMs).unref()

  async function watch(): Promise<void> {
    let failures = 0
    let startedAt = Date.now()
    for (;;) {
      const exitCode = await mongod.gone
      if (closing.signal.aborted) return
      const goneAt = Date.now()
      if (goneAt - startedAt > steadyMs) failures = 0
      if (failures === 0) log.warn(`MongoDB ended unexpectedly (exit code ${exitCode}): starting it again`)
      await delay(backOff(failures++), undefined, { signal: closing.signal }).catch(() => undefined)
      if (closing.signal.aborted) return
      startedAt = Date.now()
      mongod = await again().catch((error: Error) => {
        log.error(`MongoDB does not start: ${error.message}`)
        return mongod
      })
      if (closing.signal.aborted) return await mongod.end()
      void tellOutcome(mongod, goneAt)
    }
  }

  async function tellOutcome(started: Launched, goneAt: number): Promise<void> {
    const opened = await started.opened
    if (closing.signal.aborted) return
    if (opened) return log.info(`MongoDB runs again after ${((Date.now() - goneAt) / 1_000).toFixed(1)} s`)
    const { kind, message } = await started.failure()
    // The one before is closing on its own: it is waited for.
    if (kind !== 'data in use') log.error(`MongoDB does not start: ${message}`)
  }

  const watching = watch()
  return {
    end: async () => {
      closing.abort()
      clearInterval(rotation)
      await mongod.end()
      await watching
    },
  }
}

async function rotate(mongod: Launched, logFile: string): Promise<void> {
  const pid = mongod.pid()
  if (pid !== undefined && (await rotateLog(logFile))) process.kill(pid, 'SIGUSR1')
}
