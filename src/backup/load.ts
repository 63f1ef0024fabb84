import { BSON, type Collection, type Db, type Document, MongoBulkWriteError } from 'mongodb'
import { isDuplicateKey } from '../database/failures.ts'
import { StartError } from '../start-error.ts'
import type { BackupPart, Trailer } from './format.ts'

type Options = {
  parts: AsyncIterable<BackupPart>
  onProgress: (documents: number) => void
  signal: AbortSignal
}

/** A server's start alone may have written these. */
const mayHoldDocuments = ['attempts', 'keys', 'writers']
/** The server's user adds to it, and neither reads nor changes it. */
const onlyAddedTo = 'audit'
const batchBytes = 1_000_000
const maxBatches = 4

/** Every type as it was, so that an integer of 64 bits stays one. */
const lossless = { promoteValues: false, bsonRegExp: true } as const

/** @throws StartError unless the database holds nothing, but perhaps a part of this same backup */
export async function assertRestorable(db: Db, backup: Trailer, collections: readonly string[]): Promise<void> {
  const unfinished = await unfinishedRestore(db)
  if (unfinished?.sha256 === backup.sha256) return
  if (unfinished) throw otherRestore()
  for (const name of collections) {
    if (mayHoldDocuments.includes(name) || name === onlyAddedTo) continue
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
  const isRepeated = await beginRestore(db, backup)
  const running = new Set<Promise<void>>()
  let failure: { error: unknown } | undefined
  let written = 0
  const write = async ({ collection, documents }: Batch) => {
    await writeBatch(db.collection(collection), documents, isRepeated)
    written += documents.length
    onProgress(written)
  }
  for await (const batch of batchesOf(parts)) {
    signal.throwIfAborted()
    const writing = write(batch)
      .catch((error) => {
        failure ??= { error }
      })
      .finally(() => running.delete(writing))
    running.add(writing)
    if (running.size >= maxBatches) await Promise.race(running)
    if (failure) break
  }
  await Promise.all(running)
  if (failure) throw failure.error
  if (written !== backup.documents) throw new Error(`${written} of ${backup.documents} documents were written`)
}

/** @returns whether an earlier try was interrupted. @throws StartError while another backup is being restored */
async function beginRestore(db: Db, { sha256 }: Trailer): Promise<boolean> {
  try {
    const before = await restores(db).findOneAndUpdate(
      { _id: 'restore', $or: [{ sha256 }, { finishedAt: { $ne: null } }] },
      { $set: { sha256, finishedAt: null } },
      { upsert: true, returnDocument: 'before' },
    )
    return before?.finishedAt === null
  } catch (error) {
    if (isDuplicateKey(error)) throw otherRestore()
    throw error
  }
}

const otherRestore = () =>
  new StartError('A restore of another backup into this database did not finish: drop the database first.')

/** From now on a server starts on the database. */
export async function finishRestore(db: Db, backup: Trailer): Promise<void> {
  const own = { _id: 'restore', sha256: backup.sha256, finishedAt: null } as const
  const { matchedCount } = await restores(db).updateOne(own, { $set: { finishedAt: new Date() } })
  if (matchedCount === 0) throw new Error('another program has changed the database at the same time')
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

/** The server makes its own `keys` and `writers` at its start, before it looks: the backup's replace them. So do documents
 * of a repeated restore; a second document for a unique key is an error.
 */
async function writeBatch(collection: Collection, documents: Document[], isRepeated: boolean): Promise<void> {
  const { collectionName } = collection
  if (collectionName === onlyAddedTo) return addMissing(collection, documents)
  if (!isRepeated && !mayHoldDocuments.includes(collectionName)) {
    await collection.insertMany(documents, { ordered: false })
    return
  }
  const replace = (document: Document) => ({
    replaceOne: { filter: { _id: document._id }, replacement: document, upsert: true },
  })
  await collection.bulkWrite(documents.map(replace), { ordered: false })
}

/** For a collection whose only unique key is the id. */
async function addMissing(collection: Collection, documents: Document[]): Promise<void> {
  try {
    await collection.insertMany(documents, { ordered: false })
  } catch (error) {
    const faults = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : []
    if (faults.length === 0 || faults.some(({ code }) => code !== 11_000)) throw error
  }
}
