const intervalMs = 1_000

/**
 * For what a flood of requests repeats: once a second, `write` gets the number of calls for each reason. Reasons must be
 * few: those of the code, never a client's.
 */
export function countPerSecond(write: (count: number, reason: string) => void): (reason?: string) => void {
  const counts = new Map<string, number>()
  const report = () => {
    for (const [reason, count] of counts) write(count, reason)
    counts.clear()
  }
  return (reason = '') => {
    if (counts.size === 0) setTimeout(report, intervalMs).unref()
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
}
