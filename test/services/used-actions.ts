import type { Db, Document } from 'mongodb'

type Entry = { op: string; ns: string; user: string; command?: Document; upsert?: boolean }

const profileBytes = 256 * 2 ** 20

/** Records every operation on the database from now on. */
export async function startProfile(db: Db): Promise<void> {
  await db.createCollection('system.profile', { capped: true, size: profileBytes })
  await db.command({ profile: 2 })
}

function actionsOf({ op, command = {}, upsert }: Entry): string[] {
  if (op === 'insert') return ['insert']
  if (op === 'update') return ['update', ...((upsert ?? command.upsert) ? ['insert'] : [])]
  if (op === 'remove') return ['remove']
  if (op === 'query') return ['find']
  if (command.findAndModify) {
    return ['find', command.remove ? 'remove' : 'update', ...(command.upsert ? ['insert'] : [])]
  }
  if (command.aggregate) {
    return command.pipeline?.[0]?.$changeStream ? ['find', 'changeStream'] : ['find']
  }
  if (command.createIndexes) return ['createIndex']
  if (command.create) return ['createCollection']
  return command.listIndexes ? ['listIndexes'] : []
}

/** What a user has done since the start of the profile, such as `posts find`. */
export async function usedActions(db: Db, username: string): Promise<Set<string>> {
  const profile = db.collection<Entry>('system.profile')
  const entries = await profile.find({ user: `${username}@admin` }).toArray()
  return new Set(
    entries.flatMap((entry) => {
      const collection = entry.ns.slice(db.databaseName.length + 1)
      const stages: Document[] = entry.command?.pipeline ?? []
      const united = stages.flatMap(({ $unionWith }) => ($unionWith ? `${$unionWith.coll} find` : []))
      return [...actionsOf(entry).map((action) => `${collection} ${action}`), ...united]
    }),
  )
}
