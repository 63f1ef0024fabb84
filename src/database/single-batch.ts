/**
 * Cursor options for a query of at most `count` documents, so that MongoDB's first reply holds all of them. By default it
 * holds 101, and the rest needs another round trip.
 */
export const singleBatch = (count: number): { batchSize: number } => ({ batchSize: count + 1 })
