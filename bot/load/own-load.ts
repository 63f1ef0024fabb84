import { readFileSync } from 'node:fs'
import { watchLoopDelay } from './loop-delay.ts'

/**
 * What the load generator costs, since the sample before. `cpu` is its CPU time as a fraction of one core, `loopDelayMs`
 * the longest delay of its event loop, `steal` the fraction of the machine's CPU time that the hypervisor gave to others
 * (null where the system does not tell).
 */
export type OwnLoadSample = { cpu: number; loopDelayMs: number; steal: number | null }

export type OwnLoad = { sample(): OwnLoadSample; loopDelayP99(): number; reset(): void; stop(): void }

/** Starts to measure this process. */
export function measureOwnLoad(readStat: () => string | null = readProcStat): OwnLoad {
  const loop = watchLoopDelay()
  let cpu = process.cpuUsage()
  let at = performance.now()
  let ticks = parseTicks(readStat())
  return {
    sample() {
      const used = process.cpuUsage(cpu)
      const elapsedMs = performance.now() - at
      const now = parseTicks(readStat())
      const sample = {
        cpu: elapsedMs > 0 ? (used.user + used.system) / 1000 / elapsedMs : 0,
        loopDelayMs: loop.maxSinceLast(),
        steal: stealBetween(ticks, now),
      }
      cpu = process.cpuUsage()
      at += elapsedMs
      ticks = now
      return sample
    },
    loopDelayP99: loop.p99,
    reset: loop.reset,
    stop: loop.stop,
  }
}

type Ticks = { steal: number; total: number }

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal (proc(5)); guest is part of user. */
function parseTicks(stat: string | null): Ticks | null {
  const fields = stat
    ?.match(/^cpu +([\d ]+)$/m)?.[1]
    ?.split(' ')
    .map(Number)
    .slice(0, 8)
  const steal = fields?.[7]
  return fields && steal !== undefined ? { steal, total: fields.reduce((sum, ticks) => sum + ticks, 0) } : null
}

function stealBetween(before: Ticks | null, after: Ticks | null): number | null {
  if (!before || !after) return null
  return after.total > before.total ? (after.steal - before.steal) / (after.total - before.total) : 0
}

function readProcStat(): string | null {
  try {
    return readFileSync('/proc/stat', 'utf8')
  } catch {
    return null
  }
}
