type Deferred<Item> = { items: Item[]; due: number }

const retryAfterMs = 50

/** Items whose key another transaction keeps locked: only items of that key wait for it. */
export class DeferredKeys<Item> {
  readonly #deferred = new Map<string, Deferred<Item>>()

  has(key: string): boolean {
    return this.#deferred.has(key)
  }

  get size(): number {
    let size = 0
    for (const { items } of this.#deferred.values()) size += items.length
    return size
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
  }

  join(key: string, item: Item): void {
    this.#deferred.get(key)?.items.push(item)
  }

  /** @returns the untried items of keys that turned out unlocked; `attempt` defers those that are still locked */
  async tryDue(limit: { keys: number; items: number }, attempt: (items: Item[]) => Promise<void>): Promise<Item[]> {
    const now = performance.now()
    const released: Item[] = []
    for (const [key, tried] of [...this.#deferred].filter(([, { due }]) => due <= now).slice(0, limit.keys)) {
      await attempt(tried.items.splice(0, limit.items))
      if (this.#deferred.get(key) !== tried) continue
      this.#deferred.delete(key)
      released.push(...tried.items)
    }
    return released
  }

  filter(keep: (item: Item) => boolean): void {
    for (const deferred of this.#deferred.values()) deferred.items = deferred.items.filter(keep)
  }
}
