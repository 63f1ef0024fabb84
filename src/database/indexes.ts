import type { Collection, Db, IndexDescription } from 'mongodb'
import { StartError } from '../start-error.ts'

export type Collections = Readonly<Record<string, readonly IndexDescription[]>>

const definitionOf = ({ key, unique = false, partialFilterExpression, expireAfterSeconds }: IndexDescription) =>
  JSON.stringify([Object.entries(key), unique, partialFilterExpression ?? null, expireAfterSeconds ?? null])

/** @throws StartError if an index cannot be created or differs: without it, the server would accept writes it must refuse */
export async function ensureIndexes(db: Db, collections: Collections): Promise<void> {
  const existing = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name))
  // Concurrently, so that they share the waits for the journal.
  await Promise.all(
    Object.entries(collections).map(async ([name, required]) => {
      const collection = db.collection(name)
      // A transaction that creates a collection conflicts with all others, so empty ones are created now, too.
      if (required.length > 0) await createIndexes(collection, required)
      else if (!existing.has(name)) await db.createCollection(name).catch(ignoreExisting)
      const found = new Set((await collection.indexes()).map((index) => definitionOf(index)))
      const missing = required.find((index) => !found.has(definitionOf(index)))
      if (missing) throw indexError(name, missing, 'another index has its key or its name')
    }),
  )
}

/** Creates all indexes with one command. Its error does not name the index, so after a failure each is created alone. */
async function createIndexes(collection: Collection, required: readonly IndexDescription[]): Promise<void> {
  const all = required.map((index) => ({ ...index }))
  const created = await collection.createIndexes(all).catch(() => undefined)
  if (created) return
  for (const index of all) {
    await collection.createIndexes([index]).catch((error: Error) => {
      throw indexError(collection.collectionName, index, error.message)
    })
  }
}

function indexError(collection: string, { key, unique }: IndexDescription, reason: string): StartError {
  const index = `${JSON.stringify(key)}${unique ? ' (unique)' : ''}`
  return new StartError(
    `The index ${index} of the collection ${collection} cannot be created: ${reason}. Drop the conflicting index, or remove the duplicates, and start again.`,
  )
}

/** NamespaceExists: another server is starting on the same empty database. */
function ignoreExisting(error: { code?: unknown }): void {
  if (error.code !== 48) throw error
}
