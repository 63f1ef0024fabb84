import { QueryTimeoutError } from './failures.ts'

const maxKeys = 1_000

type Read<Value> = { until: number; resolve(value: Value | undefined): void; reject(error: unknown): void }
type Reads<Value> = Map<string, Read<Value>[]>
type Bounds = { maxQueries: number; queryTimeoutMs: number; maxWaitMs: number }

const timeoutError = () => new QueryTimeoutError('no answer in time')

/**
 * Reads by id with a bound on the queries in flight: reads that a slow database causes must not keep it slow. As with
 * batch-loader.ts, no read joins a query that was sent before; a key is in the query that was sent and in the next one.
 * @returns a function that throws QueryTimeoutError when a read or its query takes too long, and what `load` throws
 */
export function boundedLoader<Value>(
  load: (keys: readonly string[]) => Promise<Map<string, Value>>,
  { maxQueries, queryTimeoutMs, maxWaitMs }: Bounds,
): (key: string) => Promise<Value | undefined> {
  const waiting: Reads<Value> = new Map()
  const queried = new Set<string>()
  let queries = 0
  let isScheduled = false

  function takeReads(): Reads<Value> {
    const reads: Reads<Value> = new Map()
    const now = performance.now()
    for (const [key, sameKey] of waiting) {
      if (reads.size === maxKeys) break
      if (queried.has(key)) continue
      waiting.delete(key)
      const [late, inTime] = [sameKey.filter(({ until }) => until < now), sameKey.filter(({ until }) => until >= now)]
      for (const { reject } of late) reject(timeoutError())
      if (inTime.length > 0) reads.set(key, inTime)
    }
    return reads
  }

  async function query(reads: Reads<Value>): Promise<void> {
    queries += 1
    for (const key of reads.keys()) queried.add(key)
    try {
      const found = await within(queryTimeoutMs, load([...reads.keys()]))
      for (const [key, sameKey] of reads) for (const { resolve } of sameKey) resolve(found.get(key))
    } catch (error) {
      for (const sameKey of reads.values()) for (const { reject } of sameKey) reject(error)
    }
    queries -= 1
    for (const key of reads.keys()) queried.delete(key)
    send()
  }

  function send(): void {
    isScheduled = false
    while (queries < maxQueries) {
      const reads = takeReads()
      if (reads.size === 0) return
      void query(reads)
    }
  }

  return (key) => {
    const { promise, resolve, reject } = Promise.withResolvers<Value | undefined>()
    const read = { until: performance.now() + maxWaitMs, resolve, reject }
    const sameKey = waiting.get(key)
    if (sameKey) sameKey.push(read)
    else waiting.set(key, [read])
    if (!isScheduled) setImmediate(send)
    isScheduled = true
    return promise
  }
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(timeoutError()), timeoutMs)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}
