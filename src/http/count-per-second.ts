const intervalMs = 1_000

/** For what a flood of requests repeats: `write` gets the number of calls, once a second while there are any. */
export function countPerSecond(write: (count: number) => void): () => void {
  let count = 0
  const report = () => {
    const reported = count
    count = 0
    write(reported)
  }
  return () => {
    if (count === 0) setTimeout(report, intervalMs).unref()
    count += 1
  }
}
