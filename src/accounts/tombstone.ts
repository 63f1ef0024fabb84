import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

/** A deleted account, kept for longer than any access token or retried command can name it: see delete-content.ts. */
export type AccountTombstone = {
  _id: UUID
  at: Date
  /** When set, the writers are told of the deletion: see writer/deletion-fence.ts. */
  epoch?: number
  sweptAt?: Date
}

export const accountTombstoneIndexes = [
  { key: { sweptAt: 1 }, expireAfterSeconds: 600 },
  { key: { epoch: 1, _id: 1 } },
] as const

const maxUnswept = 100

export function tombstoneStore(db: Db) {
  const tombstones: Collection<AccountTombstone> = db.collection('removedAccounts')
  const idsOnly = { projection: { _id: 1 } } as const
  return {
    async add(account: string, session: ClientSession): Promise<void> {
      const mark = { $setOnInsert: { at: new Date() } }
      await tombstones.updateOne({ _id: toUuid(account) }, mark, { session, upsert: true })
    },

    /** Also those that have no epoch yet. */
    async deletedSince(epoch: number, session: ClientSession): Promise<string[]> {
      const found = await tombstones.find({ epoch: { $not: { $lte: epoch } } }, { session, ...idsOnly }).toArray()
      return found.map(({ _id }) => _id.toString())
    },

    async withoutEpoch(session: ClientSession): Promise<UUID[]> {
      const found = await tombstones.find({ epoch: { $exists: false } }, { session, ...idsOnly }).toArray()
      return found.map(({ _id }) => _id)
    },

    async setEpoch(deletions: readonly UUID[], epoch: number, session: ClientSession): Promise<void> {
      await tombstones.updateMany({ _id: { $in: [...deletions] } }, { $set: { epoch } }, { session })
    },

    async unswept(): Promise<string[]> {
      const unswept = tombstones.find({ sweptAt: { $exists: false } }, { ...idsOnly, limit: maxUnswept })
      return (await unswept.toArray()).map(({ _id }) => _id.toString())
    },

    async markSwept(account: string): Promise<void> {
      await tombstones.updateOne({ _id: toUuid(account) }, { $set: { sweptAt: new Date() } })
    },
  }
}

export type TombstoneStore = ReturnType<typeof tombstoneStore>
