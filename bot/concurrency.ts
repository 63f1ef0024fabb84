/** A counting semaphore: at most `permits` tasks run at a time, the others start in the order of their arrival. */
export class Semaphore {
  #free: number
  #waiting: (() => void)[] = []

  constructor(permits: number) {
    this.#free = permits
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }
}

/** Runs at most `limit` tasks at a time, in order. Rejects with the first error and starts no task after it. */
export async function forEachConcurrent<T>(
  items: Iterable<T>,
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]()
  let failed = false
  const runNext = async () => {
    for (let next = queue.next(); !failed && !next.done; next = queue.next()) await task(next.value)
  }
  const worker = () =>
    runNext().catch((error: unknown) => {
      failed = true
      throw error
    })
  await Promise.all(Array.from({ length: limit }, worker))
}
