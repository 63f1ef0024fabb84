import type { MongoClient, UUID } from 'mongodb'
import { isDatabaseOutOfReach, isSnapshotLost } from '../database/failures.ts'
import { lowestId } from '../database/ids.ts'
import { inSnapshot } from '../database/snapshot.ts'
import { delayRetry } from '../database/transaction.ts'
import type { Check, Chunk } from './check.ts'

const defaultChunkSize = 500
const maxAttempts = 6

/** One snapshot for each chunk: MongoDB keeps it for 300 s (minSnapshotHistoryWindowInSeconds), less than a walk takes. */
export async function* walk(client: MongoClient, database: string, check: Check): AsyncGenerator<Chunk> {
  for (let after: UUID | null = lowestId; after !== null; ) {
    const chunk: Chunk = await readChunk(client, database, check, after)
    yield chunk
    after = chunk.next
  }
}

/** Retries after a lost snapshot or a failover, with half the size each time. */
async function readChunk(client: MongoClient, database: string, check: Check, after: UUID): Promise<Chunk> {
  for (let attempt = 0; ; attempt += 1) {
    const size = Math.max(1, (check.chunkSize ?? defaultChunkSize) >> attempt)
    try {
      return await inSnapshot(client, database, (db, session) => check.read(db, session, after, size))
    } catch (error) {
      if (attempt + 1 >= maxAttempts || !(isSnapshotLost(error) || isDatabaseOutOfReach(error))) throw error
      await delayRetry(attempt)
    }
  }
}
