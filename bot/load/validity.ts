import type { Second } from './series.ts'

const maxLateFraction = 0.01
const maxDelayFraction = 0.2
const maxWaitingFraction = 0.2
/** Of the time: an idle machine lets its timers wait for so long, which few requests would share. */
const minWaiting = 0.02
const maxCpu = 0.8
const cpuSeconds = 3

/** What the figures are judged by. `p50` and `p99` are the reported ones of all requests, null when there are too few. */
export type SelfMeasurement = {
  arrivals: number
  late: number
  loopDelayP99: number
  p50: number | null
  p99: number | null
  seconds: readonly Pick<Second, 'second' | 'requests' | 'cpu' | 'waiting'>[]
}

/** Why the figures say more about the load generator than about the server: one sentence each, none when valid. */
export function invalidReasons({ arrivals, late, loopDelayP99, p50, p99, seconds }: SelfMeasurement): string[] {
  const reasons: string[] = []
  if (late > arrivals * maxLateFraction) {
    const percent = ((late / arrivals) * 100).toFixed(1)
    reasons.push(`${percent}% of the arrivals started more than 10 ms late; at most 1% may.`)
  }
  if (p99 !== null && loopDelayP99 > p99 * maxDelayFraction) {
    const delay = `${loopDelayP99.toFixed(1)} ms`
    reasons.push(
      `The bot's own event loop was delayed by ${delay} (p99), over 20% of the reported p99 of ${p99.toFixed(1)} ms.`,
    )
  }
  const waited = seconds.reduce((sum, { waiting }) => sum + (waiting ?? 0), 0)
  const waitedMs = (waited * 1000) / seconds.reduce((sum, { requests }) => sum + requests, 0)
  if (p50 !== null && waited > minWaiting * seconds.length && waitedMs > p50 * maxWaitingFraction)
    reasons.push(
      `The bot waited ${waitedMs.toFixed(2)} ms a request for a core, over 20% of the reported p50 of ${p50.toFixed(2)} ms.`,
    )
  const busyFrom = startOfBusySeconds(seconds)
  if (busyFrom !== null)
    reasons.push(`The bot used over 80% of a core for ${cpuSeconds} s from second ${busyFrom}: it was the bottleneck.`)
  return reasons
}

function startOfBusySeconds(seconds: SelfMeasurement['seconds']): number | null {
  let busy = 0
  for (const { second, cpu } of seconds) {
    busy = cpu > maxCpu ? busy + 1 : 0
    if (busy === cpuSeconds) return second - cpuSeconds + 1
  }
  return null
}
