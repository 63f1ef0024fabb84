/** For a query of at most `count` documents: MongoDB's first reply holds all of them, not only the default of 101. */
export const singleBatch = (count: number): { batchSize: number } => ({ batchSize: count + 1 })
