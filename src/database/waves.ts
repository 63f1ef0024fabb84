/** A query that has not been answered for so long holds the next one up no longer. */
const maxPauseMs = 5

/**
 * Sends what has been collected: at the end of this turn of the event loop, or, while a query is under way, when it has been
 * answered. So the busier the database, the more reads share a query.
 * @param send - takes what has been collected, and settles with its query
 * @returns a function to call when the first read has been collected
 */
export function waves(send: () => Promise<void>): () => void {
  let queries = 0
  let isDue = false
  let timer: NodeJS.Timeout | undefined

  async function flush(): Promise<void> {
    if (!isDue) return
    isDue = false
    clearTimeout(timer)
    queries += 1
    await send()
    queries -= 1
    if (queries === 0) void flush()
  }

  return () => {
    isDue = true
    if (queries === 0) setImmediate(flush)
    else timer = setTimeout(flush, maxPauseMs)
  }
}
