import { BSON, type Collection, type Db, type Document, MongoBulkWriteError } from 'mongodb'
import { StartError } from '../start-error.ts'
import type { BackupPart, Trailer } from './format.ts'

type Options = {
  parts: AsyncIterable<BackupPart>
  onProgress: (documents: number) => void
  signal: AbortSignal
}

/** A server's start alone may have written these. */
const mayHoldDocuments = ['attempts', 'keys', 'writers']
const batchBytes = 1_000_000
const maxBatches = 4

/** Every type as it was, so that an integer of 64 bits stays one. */
const lossless = { promoteValues: false, bsonRegExp: true } as const

/** @throws StartError unless the database holds nothing, but perhaps a part of this same backup */
export async function assertRestorable(db: Db, backup: Trailer, collections: readonly string[]): Promise<void> {
  const unfinished = await unfinishedRestore(db)
  if (unfinished?.sha256 === backup.sha256) return
  if (unfinished)
    throw new StartError('A restore of another backup into this database did not finish: drop the database first.')
  for (const name of collections) {
    if (mayHoldDocuments.includes(name)) continue
    if (await db.collection(name).findOne({}, { projection: { _id: 1 } }))
      throw new StartError(`The database ${db.databaseName} is not empty: restore into one that no server has used.`)
  }
}

/** The last restore into the database. */
type RestoreDocument = { _id: 'restore'; sha256: string; finishedAt: Date | null }

const restores = (db: Db): Collection<RestoreDocument> => db.collection('versions')

const unfinishedRestore = (db: Db) => restores(db).findOne({ _id: 'restore', finishedAt: null })

/** @throws StartError if a restore into the database was interrupted: a part of the data is missing */
export async function assertNotRestoring(db: Db): Promise<void> {
  if (await unfinishedRestore(db))
    throw new StartError(
      'A restore into this database did not finish: run npm run restore with the same file again, or drop the database.',
    )
}

/**
 * Writes the documents of a backup that was verified before. Repeated after an interruption, it begins again: what is
 * there already stays. No server starts on the database before {@link finishRestore}.
 * @throws the signal's reason
 */
export async function loadBackup(db: Db, backup: Trailer, { parts, onProgress, signal }: Options): Promise<void> {
  const isRepeated = (await unfinishedRestore(db)) !== null
  await restores(db).replaceOne({ _id: 'restore' }, { sha256: backup.sha256, finishedAt: null }, { upsert: true })
  const running = new Set<Promise<void>>()
  let written = 0
  const write = async ({ collection, documents }: Batch) => {
    await writeBatch(db.collection(collection), documents, isRepeated)
    written += documents.length
    onProgress(written)
  }
  for await (const batch of batchesOf(parts)) {
    signal.throwIfAborted()
    const writing = write(batch).finally(() => running.delete(writing))
    running.add(writing)
    // It is awaited by one of the two below, perhaps after another has failed.
    writing.catch(() => undefined)
    if (running.size >= maxBatches) await Promise.race(running)
  }
  await Promise.all(running)
}

/** From now on a server starts on the database. */
export async function finishRestore(db: Db, backup: Trailer): Promise<void> {
  await restores(db).updateOne({ _id: 'restore', sha256: backup.sha256 }, { $set: { finishedAt: new Date() } })
}

type Batch = { collection: string; documents: Document[]; bytes: number }

async function* batchesOf(parts: Options['parts']): AsyncGenerator<Batch, void, void> {
  let batch: Batch | undefined
  for await (const part of parts) {
    if (part.kind !== 'document') continue
    const { collection, bson } = part
    if (batch && (batch.collection !== collection || batch.bytes + bson.length > batchBytes)) {
      yield batch
      batch = undefined
    }
    batch ??= { collection, documents: [], bytes: 0 }
    batch.documents.push(BSON.deserialize(bson, lossless))
    batch.bytes += bson.length
  }
  if (batch) yield batch
}

/** The server makes its own `keys` and `writers` at its start, before it looks: the backup's replace them. */
async function writeBatch(collection: Collection, documents: Document[], isRepeated: boolean): Promise<void> {
  if (mayHoldDocuments.includes(collection.collectionName)) {
    const replace = (document: Document) => ({
      replaceOne: { filter: { _id: document._id }, replacement: document, upsert: true },
    })
    await collection.bulkWrite(documents.map(replace), { ordered: false })
    return
  }
  try {
    await collection.insertMany(documents, { ordered: false })
  } catch (error) {
    const isThere = (fault: { code?: unknown }) => fault.code === 11_000
    const faults = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : []
    if (!isRepeated || faults.length === 0 || !faults.every(isThere)) throw error
  }
}
