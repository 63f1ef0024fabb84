import { batchCost } from './batch-cost.ts'

/** Bounds how long a transaction blocks conflicting writes, and how much of MongoDB's cache it fills. */
export const maxBatchItems = 500
const minBatchItems = 8
/** How long a batch should take; a multiple of what even the smallest takes, so that most of the time is spent on items. */
const targetMs = { min: 200, max: 1_500, timesFixed: 4 }
/** A batch that takes long with fewer items is slow for another reason, such as a busy event loop. */
const slowItems = 100
/** How the bound on the size changes with a batch that ran out of time, and with one that did not. */
const decrease = 1 / 4
const increase = 4
const firstPatienceMs = 1_000
/** The weight that a long batch keeps with each later one. */
const memory = 0.9

/**
 * Sizes batches by how long they take. Fewer items must save time: with 100 ms to the database, 8 take as long as 500.
 * A batch that ran out of time only shows that it was too large: multiplicative decrease, and increase afterwards.
 */
export function batchSize() {
  const cost = batchCost()
  let ceiling = maxBatchItems
  let longestMs = 0
  let failures = 0

  const bounded = (items: number) => Math.min(Math.max(Math.floor(items), minBatchItems), maxBatchItems)

  return {
    limit(): number {
      const [perItemMs, fixedMs] = [cost.perItemMs(), cost.fixedMs()]
      if (perItemMs === 0) return ceiling
      const wantedMs = Math.min(Math.max(targetMs.timesFixed * fixedMs, targetMs.min), targetMs.max)
      const itemsMs = Math.max(wantedMs - fixedMs, fixedMs / 2)
      return Math.min(bounded(itemsMs / perItemMs), ceiling)
    },

    /** How long the next batch may take, by the longest of the last ones, in milliseconds. */
    expectedMs: () => longestMs,

    /** When to give up the next batch: while the database does not answer, short tries notice its return sooner. */
    patienceMs: () => (failures === 0 ? Number.POSITIVE_INFINITY : firstPatienceMs * 2 ** (failures - 1)),

    completed(items: number, tookMs: number): void {
      const isSurprise = cost.observe(items, tookMs)
      longestMs = Math.max(tookMs, longestMs * memory)
      failures = 0
      if (tookMs > targetMs.max && items > slowItems) ceiling = bounded(items / 2)
      else ceiling = bounded(isSurprise ? items * 2 : ceiling * increase)
    },

    conflicted(items: number): void {
      ceiling = bounded(items / 2)
    },

    /** @param tookMs - the least that such a batch takes; if it is long, the database did not answer at all. */
    ranOutOfTime(items: number, tookMs: number): void {
      failures += 1
      if (tookMs < firstPatienceMs) longestMs = Math.max(tookMs, longestMs)
      ceiling = bounded(items * decrease)
    },
  }
}
