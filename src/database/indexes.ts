import type { Collection, Db, IndexDescription } from 'mongodb'
import { StartError } from '../start-error.ts'
import { isAccessRefused, isDatabaseOutOfReach } from './failures.ts'

export type Collections = Readonly<Record<string, readonly IndexDescription[]>>

export type BuildListener = {
  /** @param keys - of the indexes, as a list for people */
  onBegun(collection: string, keys: string): void
  onBuilt(collection: string, seconds: string): void
}

const definitionOf = (index: IndexDescription) => {
  const { key, unique = false, sparse = false, partialFilterExpression, expireAfterSeconds, collation } = index
  const options = [partialFilterExpression, expireAfterSeconds, collation].map((option) => option ?? null)
  return JSON.stringify([Object.entries(key), unique, sparse, ...options])
}

/**
 * Creates the collections and indexes that do not exist: without them, the user needs no right to create any.
 * @throws StartError if an index cannot be created or differs: without it, the server would accept writes it must refuse
 */
export async function ensureIndexes(
  db: Db,
  collections: Collections,
  { onBegun, onBuilt }: BuildListener = { onBegun() {}, onBuilt() {} },
): Promise<void> {
  const existing = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name))
  const findMissing = async (collection: Collection, required: readonly IndexDescription[]) => {
    const found = new Set((await collection.indexes()).map((index) => definitionOf(index)))
    return required.filter((index) => !found.has(definitionOf(index)))
  }
  // Concurrently, so that they share the waits for the journal.
  await Promise.all(
    Object.entries(collections).map(async ([name, required]) => {
      const collection = db.collection(name)
      // A transaction that creates a collection conflicts with all others, so empty ones are created now, too.
      if (required.length === 0) return existing.has(name) ? undefined : createCollection(db, name)
      const missing = existing.has(name) ? await findMissing(collection, required) : required
      if (missing.length === 0) return
      const startedAt = performance.now()
      onBegun(name, missing.map(({ key }) => JSON.stringify(key)).join(', '))
      await createIndexes(collection, missing)
      onBuilt(name, ((performance.now() - startedAt) / 1_000).toFixed(1))
      const [differing] = await findMissing(collection, missing)
      if (differing) throw indexError(name, differing, 'another index has its key or its name')
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
      if (isDatabaseOutOfReach(error)) throw error
      throw isAccessRefused(error)
        ? deniedError(`${nameOf(index)} of the collection ${collection.collectionName}`)
        : indexError(collection.collectionName, index, error.message)
    })
  }
}

const nameOf = ({ key, unique }: IndexDescription) => `The index ${JSON.stringify(key)}${unique ? ' (unique)' : ''}`

const indexError = (collection: string, index: IndexDescription, reason: string) =>
  new StartError(
    `${nameOf(index)} of the collection ${collection} cannot be created: ${reason}. Drop the conflicting index, or remove the duplicates, and start again.`,
  )

const deniedError = (what: string) =>
  new StartError(
    `${what} does not exist, and the database user must not create it: run npm run indexes as a user with the roles readWrite and dbAdmin.`,
  )

async function createCollection(db: Db, name: string): Promise<void> {
  await db.createCollection(name).catch((error: { code?: unknown }) => {
    if (isAccessRefused(error)) throw deniedError(`The collection ${name}`)
    // NamespaceExists: another server is starting on the same empty database.
    if (error.code !== 48) throw error
  })
}
