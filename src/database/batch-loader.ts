import { waves } from './waves.ts'

const maxKeys = 1_000

type Read<Value> = { resolve(value: Value | undefined): void; reject(error: unknown): void }

/**
 * Coalesces reads by id into one query: those of one turn of the event loop, and those that arrive while the query before
 * is under way. No read joins a query that was sent before: its snapshot might be older than a write that was
 * acknowledged to the caller.
 * @param load - reads distinct keys; its error is thrown by all of their reads
 */
export function batchLoader<Value>(
  load: (keys: readonly string[]) => Promise<Map<string, Value>>,
): (key: string) => Promise<Value | undefined> {
  let pending = new Map<string, Read<Value>[]>()

  async function query(): Promise<void> {
    // A full query has been sent before its turn.
    if (pending.size === 0) return
    const reads = pending
    pending = new Map()
    try {
      const found = await load([...reads.keys()])
      for (const [key, sameKey] of reads) for (const { resolve } of sameKey) resolve(found.get(key))
    } catch (error) {
      for (const sameKey of reads.values()) for (const { reject } of sameKey) reject(error)
    }
  }

  const collected = waves(query)

  return (key) => {
    const { promise, resolve, reject } = Promise.withResolvers<Value | undefined>()
    if (pending.size === 0) collected()
    const sameKey = pending.get(key)
    if (sameKey) sameKey.push({ resolve, reject })
    else pending.set(key, [{ resolve, reject }])
    if (pending.size >= maxKeys) void query()
    return promise
  }
}
