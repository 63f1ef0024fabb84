import { readFileSync } from 'node:fs'
import { watchLoopDelay } from './loop-delay.ts'

/**
 * What the load generator costs, since the sample before. `cpu` is its CPU time as a fraction of one core, `loopDelayMs`
 * the longest delay of its event loop, `waiting` the fraction of the time in which its main thread could have run and had
 * no core, `steal` the fraction of the machine's CPU time that the hypervisor gave to others. The last two are null where
 * the system does not tell.
 */
export type OwnLoadSample = { cpu: number; loopDelayMs: number; waiting: number | null; steal: number | null }

export type OwnLoad = { sample(): OwnLoadSample; loopDelayP99(): number; reset(): void; stop(): void }

/** What is read of Linux's /proc (proc(5)): null elsewhere. */
export type ReadProc = (file: 'stat' | 'self/schedstat') => string | null

/** Starts to measure this process. */
export function measureOwnLoad(read: ReadProc = readProc): OwnLoad {
  const loop = watchLoopDelay()
  let cpu = process.cpuUsage()
  let at = performance.now()
  let ticks = parseTicks(read('stat'))
  let waitedMs = parseWaited(read('self/schedstat'))
  return {
    sample() {
      const used = process.cpuUsage(cpu)
      const elapsedMs = performance.now() - at
      const now = parseTicks(read('stat'))
      const waitedNow = parseWaited(read('self/schedstat'))
      const waited = waitedMs === null || waitedNow === null ? null : waitedNow - waitedMs
      const sample = {
        cpu: elapsedMs > 0 ? (used.user + used.system) / 1000 / elapsedMs : 0,
        loopDelayMs: loop.maxSinceLast(),
        waiting: waited !== null && elapsedMs > 0 ? waited / elapsedMs : null,
        steal: stealBetween(ticks, now),
      }
      cpu = process.cpuUsage()
      at += elapsedMs
      ticks = now
      waitedMs = waitedNow
      return sample
    },
    loopDelayP99: loop.p99,
    reset: loop.reset,
    stop: loop.stop,
  }
}

/** The second field of the main thread's schedstat: nanoseconds in which it waited for a core. */
function parseWaited(schedstat: string | null): number | null {
  const waitedNs = schedstat?.split(' ')[1]
  return waitedNs === undefined ? null : Number(waitedNs) / 1e6
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

function readProc(file: string): string | null {
  try {
    return readFileSync(`/proc/${file}`, 'utf8')
  } catch {
    return null
  }
}
