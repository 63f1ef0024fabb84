import { maxBatchItems } from './batch-size.ts'

/** Parts of batches that conflicted. They are tried between later batches, so that finding the locked key delays none. */
export function suspectParts<Item extends { key: string }>() {
  let parts: Item[][] = []
  return {
    get length(): number {
      return parts.length
    },

    /** @param groups - the items of a batch by key, which become two parts */
    addHalves(groups: readonly Item[][]): void {
      const middle = groups.length >> 1
      parts.push(groups.slice(middle).flat(), groups.slice(0, middle).flat())
    },

    /** Items whose key a part contains join it. @returns the others */
    joinFrom(items: readonly Item[]): Item[] {
      const partOf = new Map(parts.flatMap((part) => part.map(({ key }) => [key, part])))
      return items.filter((item) => {
        const part = partOf.get(item.key)
        if (!part || part.length >= maxBatchItems) return true
        part.push(item)
        return false
      })
    },

    takeLast: (): Item[] => parts.pop() ?? [],

    takeIf(matches: (item: Item) => boolean): Item[] {
      const taken = parts.flatMap((part) => part.filter(matches))
      if (taken.length > 0) {
        parts = parts.map((part) => part.filter((item) => !matches(item))).filter(({ length }) => length > 0)
      }
      return taken
    },
  }
}
