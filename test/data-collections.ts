import type { Collection, Db } from 'mongodb'

/** Every collection that has data of its own: no view, and not MongoDB's `system.views`. */
export const dataCollections = async (db: Db): Promise<Collection[]> => {
  const found = await db.listCollections({ type: 'collection' }).toArray()
  return found.filter(({ name }) => !name.startsWith('system.')).map(({ name }) => db.collection(name))
}
