import { Latencies } from './latencies.ts'

const intervalMs = 10
// On an idle machine a timer fires up to this long after its time.
const timerGranularityMs = 1

/**
 * Measures by how much a timer of 10 ms is late; a delay of up to 1 ms cannot be told from the granularity of timers, and
 * is 0. Not with monitorEventLoopDelay: its reset, needed for a maximum by second, loses the delay that spans it.
 */
export function watchLoopDelay() {
  const delays = new Latencies()
  let longest = 0
  let last = performance.now()
  const delayUntil = (now: number) => Math.max(0, now - last - intervalMs - timerGranularityMs)
  const timer = setInterval(() => {
    const now = performance.now()
    const delay = delayUntil(now)
    delays.record(delay)
    longest = Math.max(longest, delay)
    last = now
  }, intervalMs)
  timer.unref()
  return {
    /** The longest delay since the last call, in milliseconds, up to now. */
    maxSinceLast(): number {
      const max = Math.max(longest, delayUntil(performance.now()))
      longest = 0
      return max
    },
    p99: (): number => delays.percentile(99) ?? 0,
    /** Forgets the delays so far. */
    reset(): void {
      delays.reset()
      longest = 0
    },
    stop: (): void => clearInterval(timer),
  }
}
