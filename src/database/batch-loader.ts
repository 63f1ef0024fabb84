const maxKeys = 1_000

type Read<Value> = { resolve(value: Value | undefined): void; reject(error: unknown): void }

/**
 * Coalesces reads by id from one turn of the event loop into one query. No read joins a query that was sent before: its
 * snapshot might be older than a write that was acknowledged to the caller.
 * @param load - reads distinct keys; its error is thrown by all of their reads
 * @param schedule - calls its argument at the end of the turn
 */
export function batchLoader<Value>(
  load: (keys: readonly string[]) => Promise<Map<string, Value>>,
  schedule: (send: () => void) => void = setImmediate,
): (key: string) => Promise<Value | undefined> {
  let pending = new Map<string, Read<Value>[]>()

  async function query(reads: ReadonlyMap<string, Read<Value>[]>): Promise<void> {
    try {
      const found = await load([...reads.keys()])
      for (const [key, sameKey] of reads) for (const { resolve } of sameKey) resolve(found.get(key))
    } catch (error) {
      for (const sameKey of reads.values()) for (const { reject } of sameKey) reject(error)
    }
  }

  function send(): void {
    if (pending.size === 0) return
    const reads = pending
    pending = new Map()
    void query(reads)
  }

  return (key) => {
    const { promise, resolve, reject } = Promise.withResolvers<Value | undefined>()
    if (pending.size === 0) schedule(send)
    const sameKey = pending.get(key)
    if (sameKey) sameKey.push({ resolve, reject })
    else pending.set(key, [{ resolve, reject }])
    if (pending.size >= maxKeys) send()
    return promise
  }
}
