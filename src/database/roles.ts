import type { Db } from 'mongodb'
import type { Collections } from './indexes.ts'

export type Action = 'find' | 'insert' | 'update' | 'remove' | 'changeStream' | 'createCollection'

export type CollectionUses = Readonly<Record<string, readonly Action[]>>

/** A collection of '' stands for the database itself. */
export type Privilege = { resource: { db: string; collection: string }; actions: string[] }

export type Role = { name: string; privileges: readonly Privilege[] }

/** The collections that an insert, or an update with `upsert`, could create. */
export const insertedBy = (uses: CollectionUses): string[] =>
  Object.entries(uses).flatMap(([name, actions]) => (actions.includes('insert') ? [name] : []))

const creationActions = (indexes: Collections[string] = []) =>
  indexes.length > 0 ? ['createIndex', 'listIndexes'] : ['createCollection']

export function privilegesOf(database: string, uses: CollectionUses, collections: Collections): Privilege[] {
  const created = new Set(insertedBy(uses))
  const ofCollections = Object.entries(uses).map(([collection, actions]) => ({
    resource: { db: database, collection },
    actions: [...actions, ...(created.has(collection) ? creationActions(collections[collection]) : [])],
  }))
  return [{ resource: { db: database, collection: '' }, actions: ['listCollections'] }, ...ofCollections]
}

/** Creates the roles in the database, or makes existing ones equal. `db` is an administrator's. */
export async function ensureRoles(db: Db, roles: readonly Role[]): Promise<void> {
  const { roles: found } = await db.command({ rolesInfo: roles.map(({ name }) => name) })
  const existing = new Set((found as { role: string }[]).map(({ role }) => role))
  for (const { name, privileges } of roles) {
    await db.command({
      [existing.has(name) ? 'updateRole' : 'createRole']: name,
      privileges,
      roles: [],
      writeConcern: { w: 'majority' },
    })
  }
}
