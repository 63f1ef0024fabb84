/**
 * Options of a query that finds at most so many documents, so that all of them are in MongoDB's first answer. It would
 * hold 101, and a second question would have to be asked for the rest.
 */
export const singleBatch = (count: number): { batchSize: number } => ({ batchSize: count + 1 })
