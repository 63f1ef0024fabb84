import type { Collection, Db, IndexDescription } from 'mongodb'
import { StartError } from '../start-error.ts'

/** Collections by name, each with its indexes beside that of `_id`. */
export type Collections = Readonly<Record<string, readonly IndexDescription[]>>

/** What makes two indexes the same to us; names are MongoDB's business. */
const essence = ({ key, unique = false, partialFilterExpression, expireAfterSeconds }: IndexDescription) =>
  JSON.stringify([Object.entries(key), unique, partialFilterExpression ?? null, expireAfterSeconds ?? null])

/**
 * Creates the collections and indexes that are missing, then looks whether all stand as the code wants them.
 *
 * @throws StartError naming the collection and index when one cannot be made or is another than the code's: a server
 * without its unique indexes would accept what it must refuse.
 */
export async function ensureIndexes(db: Db, collections: Collections): Promise<void> {
  const existing = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name))
  // Beside each other, so that they share the waits for the journal.
  await Promise.all(
    Object.entries(collections).map(async ([name, wanted]) => {
      const collection = db.collection(name)
      // Made now: a transaction that had to make it would conflict with every other.
      if (wanted.length > 0) await createIndexes(collection, wanted)
      else if (!existing.has(name)) await db.createCollection(name).catch(ignoreExisting)
      const found = new Set((await collection.indexes()).map((index) => essence(index)))
      const missing = wanted.find((index) => !found.has(essence(index)))
      if (missing) throw fault(name, missing, 'another index has its key or its name')
    }),
  )
}

/** All with one command; only when it fails one by one, since it does not tell which of them it was. */
async function createIndexes(collection: Collection, wanted: readonly IndexDescription[]): Promise<void> {
  const all = wanted.map((index) => ({ ...index }))
  const done = await collection.createIndexes(all).catch(() => undefined)
  if (done) return
  for (const index of all) {
    await collection.createIndexes([index]).catch((error: Error) => {
      throw fault(collection.collectionName, index, error.message)
    })
  }
}

function fault(collection: string, { key, unique }: IndexDescription, why: string): StartError {
  const index = `${JSON.stringify(key)}${unique ? ' (unique)' : ''}`
  return new StartError(
    `The index ${index} of the collection ${collection} is not as it must be: ${why}. Drop the index that stands in its way, or remove the duplicates, and start again.`,
  )
}

// Two servers that start at once on an empty database.
function ignoreExisting(error: { code?: unknown }): void {
  if (error.code !== 48) throw error
}
