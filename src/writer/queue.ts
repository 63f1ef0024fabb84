export type Waiting = { deadline: number; bytes: number }

export type BatchLimits = { items: number; bytes: number; expectedMs: number }

/** How long, and how often in a row, more must arrive than is taken: after a pause of the database that is so once. */
const windowMs = 1_000
const growingWindowsMin = 2
/** How long the queue may be under overload: what is taken in this time, and at least one batch. */
const maxWaitMs = 500

const capacity = ({ items, expectedMs }: BatchLimits) => Math.floor(items * Math.max(maxWaitMs / expectedMs, 1))

/**
 * First in, first out, and short under overload: when, for two seconds without being empty, more has arrived than was
 * taken, it sheds its oldest items and refuses new ones (Nichols and Jacobson, "Controlling Queue Delay", 2012).
 */
export function sheddingQueue<Item extends Waiting>() {
  let items: Item[] = []
  let window = { start: 0, arrived: 0, taken: 0 }
  let growingWindows = 0

  const isOverloaded = () => growingWindows >= growingWindowsMin

  const startWindow = (now: number) => {
    window = { start: now, arrived: 0, taken: 0 }
  }

  const takeFirst = (count: number): Item[] => {
    const first = items.slice(0, count)
    items = items.slice(count)
    return first
  }

  const calm = (now: number) => {
    growingWindows = 0
    startWindow(now)
  }

  return {
    get length(): number {
      return items.length
    },

    isOverloaded,

    /** Adds an item, or refuses it: under overload, a full queue is one that would take too long. */
    push(item: Item, limits: BatchLimits): boolean {
      window.arrived += 1
      if (isOverloaded() && items.length >= capacity(limits)) return false
      items.push(item)
      return true
    },

    /** Puts back what arrived before all others. */
    putBack(first: readonly Item[]): void {
      if (first.length > 0) items = [...first, ...items]
    },

    /** Ends the overload: a queue that waits for an outage says nothing about the load. */
    calm,

    takeIf(matches: (item: Item) => boolean): Item[] {
      const taken = items.filter(matches)
      if (taken.length > 0) items = items.filter((item) => !matches(item))
      return taken
    },

    /** @returns the oldest items of a queue that is too long, which leave it. */
    shed(limits: BatchLimits): Item[] {
      return takeFirst(isOverloaded() ? Math.max(0, items.length - capacity(limits)) : 0)
    },

    take(now: number, limits: BatchLimits): Item[] {
      let count = 0
      for (let total = 0; count < Math.min(items.length, limits.items); count += 1) {
        total += items[count]?.bytes ?? 0
        if (total > limits.bytes && count > 0) break
      }
      window.taken += count
      const batch = takeFirst(count)
      if (items.length === 0) calm(now)
      else if (now - window.start >= windowMs) {
        growingWindows = window.arrived > window.taken ? growingWindows + 1 : 0
        startWindow(now)
      }
      return batch
    },
  }
}
