export type Action = 'find' | 'insert' | 'update' | 'remove' | 'changeStream'

/** The actions on each collection, by MongoDB's names. */
export type CollectionUses = Readonly<Record<string, readonly Action[]>>

/** The collections that an insert, or an update with `upsert`, could create. */
export const insertedBy = (uses: CollectionUses): string[] =>
  Object.entries(uses).flatMap(([name, actions]) => (actions.includes('insert') ? [name] : []))
