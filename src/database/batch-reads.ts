import type { Db, Document, Filter, Hint } from 'mongodb'
import { batchLoader } from './batch-loader.ts'
import { singleBatch } from './single-batch.ts'

/**
 * Which documents to read.
 * @property hint - an index, where MongoDB might choose another
 * @property count - at most so many are found
 */
type Query = {
  collection: string
  filter: Document
  projection?: Document
  hint?: Hint
  sort?: Record<string, 1 | -1>
  limit?: number
  maxTimeMS?: number
  count: number
}

type Part = Query & { resolve(found: Document[]): void; reject(error: unknown): void }

/** What a feature reads by key; at most one document has a key. */
export type BatchRead<Stored extends Document, Value> = {
  collection: string
  filter: (keys: readonly string[]) => Filter<Stored>
  projection?: Document
  hint?: Hint
  toEntry: (found: Stored) => readonly [key: string, value: Value]
}

/** Queries of one turn of the event loop, which are sent as one. */
export type TurnReads = {
  /** Calls `send` at the end of the turn, where it may query. */
  schedule(send: () => void): void
  query(query: Query): Promise<Document[]>
}

const known = new WeakMap<Db, TurnReads>()

export function turnReads(db: Db): TurnReads {
  const turn = known.get(db) ?? createTurnReads(db)
  known.set(db, turn)
  return turn
}

/**
 * Reads by key: all reads of a database from one turn of the event loop, of whatever collections, are one query. A
 * message to MongoDB costs more than what a few ids more cost it. See batch-loader.ts for what a read may see.
 * @returns a function that throws what the driver throws
 */
export function batchRead<Stored extends Document, Value>(
  db: Db,
  { collection, filter, projection, hint, toEntry }: BatchRead<Stored, Value>,
): (key: string) => Promise<Value | undefined> {
  const turn = turnReads(db)
  const options = { collection, ...(projection && { projection }), ...(hint !== undefined && { hint }) }
  return batchLoader<Value>(async (keys) => {
    const found = await turn.query({ ...options, filter: filter(keys), count: keys.length })
    // The collection holds such documents.
    return new Map((found as Stored[]).map(toEntry))
  }, turn.schedule)
}

function createTurnReads(db: Db): TurnReads {
  let sends: (() => void)[] = []
  let parts: Part[] = []

  function run(): void {
    // One may schedule others.
    for (const send of sends) send()
    sends = []
    const queries = parts
    parts = []
    // A query has one hint.
    const first = queries.find(({ hint }) => hint !== undefined) ?? queries[0]
    if (!first) return
    const others = queries.filter((query) => query !== first)
    const together = [first, ...others.filter(({ hint }) => hint === undefined)]
    for (const group of [together, ...others.filter(({ hint }) => hint !== undefined).map((query) => [query])]) {
      void settle(group, group.length === 1 ? findOne(db, group) : findAll(db, group))
    }
  }

  return {
    schedule(send) {
      if (sends.length === 0) setImmediate(run)
      sends.push(send)
    },
    query(query) {
      const { promise, resolve, reject } = Promise.withResolvers<Document[]>()
      parts.push({ ...query, resolve, reject })
      return promise
    },
  }
}

async function settle(parts: readonly Part[], reading: Promise<Document[][]>): Promise<void> {
  try {
    const found = await reading
    for (const [n, { resolve }] of parts.entries()) resolve(found[n] ?? [])
  } catch (error) {
    for (const { reject } of parts) reject(error)
  }
}

async function findOne(db: Db, [part]: readonly Part[]): Promise<Document[][]> {
  if (!part) return []
  const { collection, filter, count, resolve: _, reject: __, ...options } = part
  return [
    await db
      .collection(collection)
      .find(filter, { ...options, ...singleBatch(count) })
      .toArray(),
  ]
}

const stagesOf = ({ filter, projection, sort, limit }: Query, part: number): Document[] => [
  { $match: filter },
  ...(sort ? [{ $sort: sort }] : []),
  ...(limit === undefined ? [] : [{ $limit: limit }]),
  ...(projection ? [{ $project: projection }] : []),
  { $replaceWith: { part: { $literal: part }, found: '$$ROOT' } },
]

async function findAll(db: Db, parts: readonly Part[]): Promise<Document[][]> {
  const [first, ...others] = parts
  if (!first) return []
  const pipeline = [
    ...stagesOf(first, 0),
    ...others.map((query, n) => ({ $unionWith: { coll: query.collection, pipeline: stagesOf(query, n + 1) } })),
  ]
  const times = parts.flatMap(({ maxTimeMS }) => maxTimeMS ?? [])
  const options = {
    ...(first.hint !== undefined && { hint: first.hint }),
    ...(times.length > 0 && { maxTimeMS: Math.max(...times) }),
    ...singleBatch(parts.reduce((sum, { count }) => sum + count, 0)),
  }
  const found: Document[][] = parts.map(() => [])
  const cursor = db.collection(first.collection).aggregate<{ part: number; found: Document }>(pipeline, options)
  for (const { part, found: document } of await cursor.toArray()) found[part]?.push(document)
  return found
}
