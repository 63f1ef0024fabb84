import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BeginFault } from './fault.ts'
import { randomMs } from './random-time.ts'

const hourMs = 3_600_000
const stepsMs = [3 * hourMs, -3 * hourMs, 30_000, -30_000] as const

/** A clock for the server's processes, which chaos can step while they run. The machine's clock stays as it is. */
export function steppableClock(directory: string) {
  const path = join(directory, 'clock')
  const file = openSync(path, 'w', 0o600)
  const step = (ms: number) => void writeSync(file, Float64Array.of(ms), 0, 8, 0)
  step(0)
  const preload = pathToFileURL(join(import.meta.dirname, 'shift-clock.ts'))
  return {
    /** For the environment of the server's processes. */
    settings: {
      CHAOS_CLOCK_FILE: path,
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${preload.href}`.trim(),
    },
    step,
    close: () => closeSync(file),
  }
}

/** Steps the clock forward or back, by hours or by seconds in turn, and then to the machine's time again. */
export function clockStep(clock: Pick<ReturnType<typeof steppableClock>, 'step'>): BeginFault {
  let steps = 0
  return async () => {
    const ms = stepsMs[steps % stepsMs.length] ?? hourMs
    steps += 1
    clock.step(ms)
    return {
      detail: `the server's clock ${Math.abs(ms) / 1_000} s ${ms > 0 ? 'ahead' : 'behind'}`,
      lastsMs: randomMs(1_000, 8_000),
      end: async () => void clock.step(0),
    }
  }
}
