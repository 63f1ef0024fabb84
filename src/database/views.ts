import { isDeepStrictEqual } from 'node:util'
import type { Db, Document } from 'mongodb'
import { StartError } from '../start-error.ts'

/** A view shows the part of a collection that a user without access to the collection may read. */
export type View = { readonly viewOn: string; readonly pipeline: readonly Document[] }

export type Views = Readonly<Record<string, View>>

/** @throws StartError if a view cannot be created, or shows something else: a changed view needs a new name */
export async function ensureViews(db: Db, views: Views): Promise<void> {
  for (const [name, { viewOn, pipeline }] of Object.entries(views)) {
    const existing = await findOptions(db, name)
    if (existing === undefined) await create(db, name, { viewOn, pipeline })
    const { viewOn: foundOn, pipeline: found } = existing ?? (await findOptions(db, name)) ?? {}
    if (foundOn === viewOn && isDeepStrictEqual(found, pipeline)) continue
    throw new StartError(`The view ${name} differs from the one that this version needs: drop it and start again.`)
  }
}

async function findOptions(db: Db, name: string): Promise<Document | undefined> {
  const [found] = await db.listCollections({ name }).toArray()
  // The driver's type allows for `nameOnly`.
  return found && 'options' in found ? found.options : undefined
}

async function create(db: Db, name: string, { viewOn, pipeline }: View): Promise<void> {
  await db.createCollection(name, { viewOn, pipeline: [...pipeline] }).catch((error: { code?: unknown }) => {
    // NamespaceExists: another server is starting.
    if (error.code !== 48) throw error
  })
}
