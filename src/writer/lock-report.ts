const lockedMsMin = 500
const reportEveryMs = 1_000

/** Calls `onLocked` at most once a second while items have waited for locks for half a second. */
export function lockReporter(onLocked: () => void): (isWaiting: boolean) => void {
  let lockedSince = Number.POSITIVE_INFINITY
  let reportedAt = Number.NEGATIVE_INFINITY
  return (isWaiting) => {
    const now = performance.now()
    lockedSince = isWaiting ? Math.min(lockedSince, now) : Number.POSITIVE_INFINITY
    if (now - lockedSince < lockedMsMin || now - reportedAt < reportEveryMs) return
    reportedAt = now
    onLocked()
  }
}
