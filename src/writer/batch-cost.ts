/** The weight that the last batch leaves to those before it: about ten batches count. */
const memory = 0.9
/** Sizes that differ by less than this say nothing about what an item costs. */
const minSpreadItems = 5
/** A batch this many times as long as predicted, or as short, shows that the database has changed. */
const surprise = { factor: 3, msMin: 50 }

/** A fixed time (round trips, the journal) and a time for each item: weighted least squares of the last batches. */
export function batchCost() {
  let sums = { weight: 0, items: 0, ms: 0, squares: 0, products: 0 }

  function perItemMs(): number {
    const { weight, items, ms, squares, products } = sums
    if (weight === 0) return 0
    const spread = squares / weight - (items / weight) ** 2
    const slope = (products / weight - (items * ms) / weight ** 2) / (spread + minSpreadItems ** 2)
    return Math.min(Math.max(slope, 0), ms / items)
  }

  const fixedMs = () => (sums.weight === 0 ? 0 : (sums.ms - perItemMs() * sums.items) / sums.weight)

  return {
    perItemMs,
    fixedMs,

    /** @returns whether the batch took a very different time than those before it. */
    observe(items: number, tookMs: number): boolean {
      const predictedMs = fixedMs() + perItemMs() * items
      const [shorterMs, longerMs] = [Math.min(tookMs, predictedMs), Math.max(tookMs, predictedMs)]
      // A much larger batch teaches what an item costs: that it takes longer is no surprise.
      const isComparable = tookMs < predictedMs || items * sums.weight <= 2 * sums.items
      const isSurprise =
        sums.weight > 0 && isComparable && longerMs > surprise.msMin && longerMs > surprise.factor * shorterMs
      const kept = isSurprise ? 0 : memory
      sums = {
        weight: sums.weight * kept + 1,
        items: sums.items * kept + items,
        ms: sums.ms * kept + tookMs,
        squares: sums.squares * kept + items ** 2,
        products: sums.products * kept + items * tookMs,
      }
      return isSurprise
    },
  }
}
