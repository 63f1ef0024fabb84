import { type MongoClient, MongoServerError, type UUID } from 'mongodb'
import { isDatabaseOutOfReach } from '../database/failures.ts'
import { lowestId } from '../database/ids.ts'
import { inSnapshot } from '../database/snapshot.ts'
import { delayRetry } from '../database/transaction.ts'
import type { Check, Chunk } from './check.ts'

/** The most things that are held at a time. */
export const chunkSize = 500
const mostTries = 6

/**
 * Everything that a check finds, a chunk at a time. Each chunk is read in a snapshot of its own: MongoDB keeps one for
 * five minutes (minSnapshotHistoryWindowInSeconds), less than a walk may take.
 */
export async function* walk(client: MongoClient, database: string, check: Check): AsyncGenerator<Chunk> {
  for (let after: UUID | null = lowestId; after !== null; ) {
    const chunk: Chunk = await readChunk(client, database, check, after)
    yield chunk
    after = chunk.next
  }
}

/** A snapshot that is lost, or a failover, begins the chunk anew; with half as much each time, if it was too much. */
async function readChunk(client: MongoClient, database: string, check: Check, after: UUID): Promise<Chunk> {
  for (let attempt = 0; ; attempt += 1) {
    const size = Math.max(1, chunkSize >> attempt)
    try {
      return await inSnapshot(client, database, (db, session) => check.read(db, session, after, size))
    } catch (error) {
      if (attempt + 1 >= mostTries || !(isSnapshotLost(error) || isDatabaseOutOfReach(error))) throw error
      await delayRetry(attempt)
    }
  }
}

/** SnapshotTooOld, SnapshotUnavailable. */
const isSnapshotLost = (error: unknown) =>
  error instanceof MongoServerError && (error.code === 239 || error.code === 246)
