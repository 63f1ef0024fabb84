import type { MongoClient } from 'mongodb'
import { inSnapshot } from '../database/snapshot.ts'
import { backupEncoder, type Trailer } from './format.ts'

type Saved = { collection: string; documents: number }

type Options = {
  collections: readonly string[]
  version: string
  dataVersion: number
  /** Its promise resolves when the bytes are taken. */
  sink: (bytes: Buffer) => Promise<void>
  /** After each batch of documents of a collection, with their number so far. */
  onProgress: (saved: Saved) => void
  signal: AbortSignal
}

const batchSize = 5_000

/**
 * Writes a backup: every collection as of one moment, while the server runs.
 * @throws MongoServerError SnapshotTooOld when it takes longer than MongoDB keeps a snapshot; the signal's reason
 */
export function saveBackup(client: MongoClient, database: string, options: Options): Promise<Trailer> {
  const { collections, version, dataVersion, sink, onProgress, signal } = options
  const encoder = backupEncoder(sink)
  return inSnapshot(
    client,
    database,
    async (db, _session, snapshot) => {
      await encoder.header({ version, dataVersion, startedAt: new Date() })
      for (const collection of collections) {
        await encoder.beginCollection(collection)
        let documents = 0
        const cursor = db.collection(collection).find({}, { ...snapshot, raw: true, batchSize })
        while (await cursor.hasNext()) {
          // With `raw`, documents are their BSON: the driver's type does not tell.
          const batch = cursor.readBufferedDocuments() as unknown as Uint8Array[]
          await encoder.documents(batch)
          documents += batch.length
          onProgress({ collection, documents })
        }
        if (documents === 0) onProgress({ collection, documents })
        await encoder.endCollection()
      }
      return encoder.trailer()
    },
    signal,
  )
}
