import type { Db, Document, Filter, Hint } from 'mongodb'
import { batchLoader } from './batch-loader.ts'
import { type Query, unionQuery } from './union-query.ts'

type Part = { query: Query; resolve(found: Document[]): void; reject(error: unknown): void }

/** What a feature reads by key; at most one document has a key. */
export type BatchRead<Stored extends Document, Value> = {
  collection: string
  filter: (keys: readonly string[]) => Filter<Stored>
  projection?: Document
  hint?: Hint
  toEntry: (found: Stored) => readonly [key: string, value: Value]
}

/** Queries of one turn of the event loop, which are sent as one, or as few. */
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

/** One query, sent with others of this turn, and after those that were asked for before. */
export function turnQuery(db: Db, query: Query): Promise<Document[]> {
  const turn = turnReads(db)
  const { promise, resolve, reject } = Promise.withResolvers<Document[]>()
  turn.schedule(() => void turn.query(query).then(resolve, reject))
  return promise
}

/** MongoDB takes pipelines of at most 1,000 stages, and each of the logins of one turn has some. */
const maxTogether = 100

function createTurnReads(db: Db): TurnReads {
  let sends: (() => void)[] = []
  let parts: Part[] = []

  /** In messages one after another: no query sees older data than one before it. If one fails, the rest are not sent. */
  async function send(group: readonly Part[]): Promise<void> {
    let answered = 0
    try {
      for (; answered < group.length; answered += maxTogether) {
        const together = group.slice(answered, answered + maxTogether)
        const queries = together.map(({ query }) => query)
        for (const [n, found] of (await unionQuery(db, queries)).entries()) together[n]?.resolve(found)
      }
    } catch (error) {
      for (const { reject } of group.slice(answered)) reject(error)
    }
  }

  function run(): void {
    // One may schedule others.
    for (const sendOne of sends) sendOne()
    sends = []
    const due = parts
    parts = []
    // A query has one hint.
    const first = due.find(hasHint) ?? due[0]
    if (!first) return
    const others = due.filter((part) => part !== first)
    const together = [first, ...others.filter((part) => !hasHint(part))]
    void send(together)
    for (const part of others.filter(hasHint)) void send([part])
  }

  return {
    schedule(sendOne) {
      if (sends.length === 0) setImmediate(run)
      sends.push(sendOne)
    },
    query(query) {
      const { promise, resolve, reject } = Promise.withResolvers<Document[]>()
      parts.push({ query, resolve, reject })
      return promise
    },
  }
}

const hasHint = ({ query }: Part) => query.hint !== undefined
