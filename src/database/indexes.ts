import { setTimeout as sleep } from 'node:timers/promises'
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

/** How often a start asks whether another program's index build has ended. */
const pollMs = 1_000

/** Otherwise a build waits for all members of a set, of which one may be down for good. */
const commitQuorum = 'majority'

/**
 * Creates the collections and indexes that do not exist, and waits for those that another program has MongoDB build. If all
 * exist, the user needs no right to create any.
 * @throws StartError if an index cannot be created or differs: without it, the server would accept writes it must refuse
 */
export async function ensureIndexes(
  db: Db,
  collections: Collections,
  { onBegun, onBuilt }: BuildListener = { onBegun() {}, onBuilt() {} },
): Promise<void> {
  const existing = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name))
  const findUnready = async (name: string, required: readonly IndexDescription[]) => {
    const { built, building } = await listIndexes(db, name)
    const unready = required.filter((index) => !built.has(definitionOf(index)))
    return { unready, missing: unready.filter((index) => !building.has(definitionOf(index))) }
  }
  // Concurrently, so that they share the waits for the journal.
  await Promise.all(
    Object.entries(collections).map(async ([name, required]) => {
      // A transaction that creates a collection conflicts with all others, so empty ones are created now, too.
      if (required.length === 0) return existing.has(name) ? undefined : createCollection(db, name)
      const startedAt = performance.now()
      let found = existing.has(name) ? await findUnready(name, required) : { unready: required, missing: required }
      if (found.unready.length === 0) return
      onBegun(name, found.unready.map(({ key }) => JSON.stringify(key)).join(', '))
      for (let created = false; found.unready.length > 0; found = await findUnready(name, required)) {
        const [differing] = found.missing
        if (!differing || found.missing.length < found.unready.length) await sleep(pollMs)
        else if (created) throw indexError(name, differing, 'another index has its key or its name')
        else {
          await createIndexes(db.collection(name), found.missing)
          created = true
        }
      }
      onBuilt(name, ((performance.now() - startedAt) / 1_000).toFixed(1))
    }),
  )
}

/** The driver's own list does not tell an index that is being built, which no query can use, from one that is built. */
async function listIndexes(db: Db, collection: string) {
  const command = { listIndexes: collection, includeIndexBuildInfo: true }
  const list = async () => (await db.runCursorCommand(command).toArray()) as ListedIndex[] // MongoDB's format
  // Once more after a fault, such as an election, as the driver does for its own reads.
  const found = await list().catch((error) => (isDatabaseOutOfReach(error) ? list() : Promise.reject(error)))
  const definitions = (isBuilding: boolean) =>
    new Set(
      found
        .filter(({ indexBuildInfo }) => (indexBuildInfo !== undefined) === isBuilding)
        .map(({ spec }) => definitionOf(spec)),
    )
  return { built: definitions(false), building: definitions(true) }
}

type ListedIndex = { spec: IndexDescription; indexBuildInfo?: unknown }

/** Creates all indexes with one command. Its error does not name the index, so after a failure each is created alone. */
async function createIndexes(collection: Collection, required: readonly IndexDescription[]): Promise<void> {
  const all = required.map((index) => ({ ...index }))
  const created = await collection.createIndexes(all, { commitQuorum }).catch(() => undefined)
  if (created) return
  for (const index of all) {
    await collection.createIndexes([index], { commitQuorum }).catch((error: Error) => {
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
