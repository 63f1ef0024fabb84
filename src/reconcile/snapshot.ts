import { type ClientSession, type Db, type MongoClient, MongoServerError, ReadConcern, UUID } from 'mongodb'
import { isDatabaseOutOfReach } from '../database/failures.ts'
import { beforeRetry } from '../database/transaction.ts'
import type { Check, Chunk } from './check.ts'

/** The most things that are held at a time. */
export const chunkSize = 500
const mostTries = 6
/** Less than every id. */
const first = new UUID('00000000-0000-0000-0000-000000000000')

/**
 * Everything that a check finds, a chunk at a time. Each chunk is read in a snapshot of its own: MongoDB keeps one for
 * five minutes (minSnapshotHistoryWindowInSeconds), less than a walk may take.
 */
export async function* walk(client: MongoClient, database: string, check: Check): AsyncGenerator<Chunk> {
  for (let after: UUID | null = first; after !== null; ) {
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
      await beforeRetry(attempt)
    }
  }
}

/** Reads at one moment: all that is read with this session is as it was at its first read. */
export async function inSnapshot<T>(
  client: MongoClient,
  database: string,
  work: (db: Db, session: ClientSession) => Promise<T>,
): Promise<T> {
  const session = client.startSession({ snapshot: true })
  // Never shared: the driver writes the snapshot's time into this very read concern, where the next session would find
  // it and read the old snapshot (mongodb 7.9, applySession).
  const db = client.db(database, { readConcern: new ReadConcern('snapshot') })
  try {
    return await work(db, session)
  } finally {
    await session.endSession()
  }
}

/** SnapshotTooOld, SnapshotUnavailable. */
const isSnapshotLost = (error: unknown) =>
  error instanceof MongoServerError && (error.code === 239 || error.code === 246)
