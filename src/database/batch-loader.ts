/** In one query; what comes after them in the same turn goes in the next. */
const mostKeys = 1_000

type Waiting<Value> = { resolve(value: Value | undefined): void; reject(error: unknown): void }

/**
 * Reads by id that are asked for in one turn of the event loop go to MongoDB as one query.
 *
 * Nobody joins a query that has been sent: it might have been answered from before a write that the asker was told of.
 *
 * @param load - reads what is there of these keys, each of which comes once; by key.
 * @returns a function that reads one: undefined when nothing is there. It throws what `load` throws.
 */
export function batchLoader<Value>(
  load: (keys: readonly string[]) => Promise<Map<string, Value>>,
): (key: string) => Promise<Value | undefined> {
  let asked = new Map<string, Waiting<Value>[]>()

  async function read(waiting: ReadonlyMap<string, Waiting<Value>[]>): Promise<void> {
    try {
      const found = await load([...waiting.keys()])
      for (const [key, all] of waiting) for (const { resolve } of all) resolve(found.get(key))
    } catch (error) {
      for (const all of waiting.values()) for (const { reject } of all) reject(error)
    }
  }

  function send(): void {
    if (asked.size === 0) return
    const sent = asked
    asked = new Map()
    void read(sent)
  }

  return (key) => {
    const { promise, resolve, reject } = Promise.withResolvers<Value | undefined>()
    if (asked.size === 0) setImmediate(send)
    const others = asked.get(key)
    if (others) others.push({ resolve, reject })
    else asked.set(key, [{ resolve, reject }])
    if (asked.size >= mostKeys) send()
    return promise
  }
}
