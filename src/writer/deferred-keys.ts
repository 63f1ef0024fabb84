type Deferred<Item> = { items: Item[]; due: number }

const retryAfterMs = 50
/** The pause after tries of keys that were still locked, in multiples of what they took: the queue has the rest. */
const pauseFactor = 3

/** Items whose key another transaction keeps locked: only items of that key wait for it. */
export class DeferredKeys<Item> {
  readonly #deferred = new Map<string, Deferred<Item>>()
  #size = 0
  #pausedUntil = 0

  has(key: string): boolean {
    return this.#deferred.has(key)
  }

  get size(): number {
    return this.#size
  }

  /** Defers items to the next try of their key, ahead of those that came later. */
  defer(key: string, first: readonly Item[]): void {
    const { items = [] } = this.#deferred.get(key) ?? {}
    // To the end of the map, so that keys are retried in rotation.
    this.#deferred.delete(key)
    this.#deferred.set(key, {
      items: [...first, ...items],
      due: performance.now() + retryAfterMs * (1 + Math.random()),
    })
    this.#size += first.length
  }

  join(key: string, item: Item): void {
    this.#deferred.get(key)?.items.push(item)
    this.#size += 1
  }

  /**
   * Tries keys one by one, and twice as many together after each success: an open transaction that ends unlocks all that
   * it wrote. Tries of keys that are still locked take at most a quarter of the time in all.
   * @param limit - how long to go on after such a try, the items of one try, and whether other items wait
   * @returns the untried items of keys that turned out unlocked; `attempt` defers those that are still locked
   */
  async tryDue(
    limit: { ms: number; items: number; isIdle: boolean },
    attempt: (items: Item[]) => Promise<void>,
  ): Promise<Item[]> {
    const now = performance.now()
    if (now < this.#pausedUntil && !limit.isIdle) return []
    const due = [...this.#deferred].filter(([, { due }]) => due <= now)
    const released: Item[] = []
    let lostMs = 0
    for (let together = 1; due.length > 0 && lostMs < limit.ms; ) {
      const start = performance.now()
      const tried = due.splice(0, together)
      await attempt(tried.flatMap(([, { items }]) => this.#takeFrom(items, Math.ceil(limit.items / together))))
      const unlocked = tried.filter(([key, deferred]) => this.#deferred.get(key) === deferred)
      for (const [key, { items }] of unlocked) {
        this.#deferred.delete(key)
        released.push(...this.#takeFrom(items, items.length))
      }
      together = unlocked.length === tried.length ? together * 2 : 1
      if (unlocked.length < tried.length) lostMs += performance.now() - start
    }
    this.#pausedUntil = performance.now() + pauseFactor * lostMs
    return released
  }

  /** @returns the items that match, which leave their keys. */
  takeIf(matches: (item: Item) => boolean): Item[] {
    const taken: Item[] = []
    for (const deferred of this.#deferred.values()) {
      taken.push(...deferred.items.filter(matches))
      deferred.items = deferred.items.filter((item) => !matches(item))
    }
    this.#size -= taken.length
    return taken
  }

  #takeFrom(items: Item[], count: number): Item[] {
    const taken = items.splice(0, count)
    this.#size -= taken.length
    return taken
  }
}
