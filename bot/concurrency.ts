/** Lets at most `width` tasks run at a time; the others wait in order. */
export class Semaphore {
  #free: number
  #waiting: (() => void)[] = []

  constructor(width: number) {
    this.#free = width
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

/**
 * Runs `task` for every item, `width` at a time, in order of arrival. Rejects with the first error, after which no task
 * is begun.
 */
export async function forEachConcurrent<T>(
  items: Iterable<T>,
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]()
  let failed = false
  const walk = async () => {
    for (let next = queue.next(); !failed && !next.done; next = queue.next()) await task(next.value)
  }
  const guarded = () =>
    walk().catch((error: unknown) => {
      failed = true
      throw error
    })
  await Promise.all(Array.from({ length: width }, guarded))
}
