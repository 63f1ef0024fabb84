/** Who waits for one thing, and when the next try is due, by `performance.now()`. */
type Held<One> = { all: One[]; due: number }

/** How long until the next try, in milliseconds: so long at least, and up to twice as long. */
const pause = 50

/** Those who wait for something that somebody else keeps locked, by what it is: nobody but they shall wait for it. */
export class HeldBack<One> {
  readonly #held = new Map<string, Held<One>>()

  has(key: string): boolean {
    return this.#held.has(key)
  }

  /** How many wait. */
  get size(): number {
    let size = 0
    for (const { all } of this.#held.values()) size += all.length
    return size
  }

  /** Lets some wait for the next try, before those who came later. */
  hold(key: string, some: readonly One[]): void {
    const { all = [] } = this.#held.get(key) ?? {}
    // At the end: of many keys each has its turn.
    this.#held.delete(key)
    this.#held.set(key, { all: [...some, ...all], due: performance.now() + pause * (1 + Math.random()) })
  }

  /** Lets one more wait for what is waited for already. */
  join(key: string, one: One): void {
    this.#held.get(key)?.all.push(one)
  }

  /**
   * Tries those who are due, those of one key at a time.
   * @param most - how many keys, and how many of each.
   * @param attempt - holds them again if it is still locked.
   * @returns who need not wait any more, and has not been tried.
   */
  async tryDue(most: { keys: number; each: number }, attempt: (some: One[]) => Promise<void>): Promise<One[]> {
    const now = performance.now()
    const free: One[] = []
    for (const [key, tried] of [...this.#held].filter(([, { due }]) => due <= now).slice(0, most.keys)) {
      await attempt(tried.all.splice(0, most.each))
      // hold() puts another in its place.
      if (this.#held.get(key) !== tried) continue
      this.#held.delete(key)
      free.push(...tried.all)
    }
    return free
  }

  /** Lets only some go on waiting. */
  keep(isKept: (one: One) => boolean): void {
    for (const held of this.#held.values()) held.all = held.all.filter(isKept)
  }
}
