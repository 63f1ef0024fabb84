import type { Db, Document, Hint } from 'mongodb'
import { singleBatch } from './single-batch.ts'

/**
 * Which documents to read.
 * @property hint - an index, where MongoDB might choose another
 * @property count - at most so many are found
 */
export type Query = {
  collection: string
  filter: Document
  projection?: Document
  hint?: Hint
  sort?: Record<string, 1 | -1>
  skip?: number
  limit?: number
  maxTimeMS?: number
  count: number
}

const stagesOf = ({ filter, projection, sort, skip, limit }: Query, part: number): Document[] => [
  { $match: filter },
  ...(sort ? [{ $sort: sort }] : []),
  ...(skip === undefined ? [] : [{ $skip: skip }]),
  ...(limit === undefined ? [] : [{ $limit: limit }]),
  ...(projection ? [{ $project: projection }] : []),
  { $replaceWith: { part: { $literal: part }, found: '$$ROOT' } },
]

/**
 * Reads from several collections with one command, which MongoDB does not allow in transactions. Only the first query may
 * have a hint: MongoDB takes one. It runs them one after another: none sees older data than one before it.
 * @returns what each query found
 */
export async function unionQuery(db: Db, queries: readonly Query[]): Promise<Document[][]> {
  const [first, ...others] = queries
  if (!first) return []
  if (others.length === 0) {
    const { collection, filter, count, ...options } = first
    const cursor = db.collection(collection).find(filter, { ...options, ...singleBatch(count) })
    return [await cursor.toArray()]
  }
  const pipeline = [
    ...stagesOf(first, 0),
    ...others.map((query, n) => ({ $unionWith: { coll: query.collection, pipeline: stagesOf(query, n + 1) } })),
  ]
  const times = queries.flatMap(({ maxTimeMS }) => maxTimeMS ?? [])
  const options = {
    ...(first.hint !== undefined && { hint: first.hint }),
    ...(times.length > 0 && { maxTimeMS: Math.max(...times) }),
    ...singleBatch(queries.reduce((sum, { count }) => sum + count, 0)),
  }
  const found: Document[][] = queries.map(() => [])
  const cursor = db.collection(first.collection).aggregate<{ part: number; found: Document }>(pipeline, options)
  for (const { part, found: document } of await cursor.toArray()) found[part]?.push(document)
  return found
}
