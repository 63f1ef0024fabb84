import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

/**
 * A deleted account. Its content is hidden at once and deleted afterwards: see delete-content.ts. The tombstone then
 * stays for longer than any access token or retried command can name the account.
 */
export type AccountTombstone = {
  _id: UUID
  at: Date
  sweptAt?: Date
}

export const accountTombstoneIndexes = [{ key: { sweptAt: 1 }, expireAfterSeconds: 600 }] as const

export function tombstoneStore(db: Db) {
  const tombstones: Collection<AccountTombstone> = db.collection('removedAccounts')
  return {
    async add(account: string, session: ClientSession): Promise<void> {
      const mark = { $setOnInsert: { at: new Date() } }
      await tombstones.updateOne({ _id: toUuid(account) }, mark, { session, upsert: true })
    },

    async deletedAccounts(session: ClientSession): Promise<ReadonlySet<string>> {
      const found = await tombstones.find({}, { session, projection: { _id: 1 } }).toArray()
      return new Set(found.map(({ _id }) => _id.toString()))
    },

    async *unswept(): AsyncGenerator<string> {
      for await (const { _id } of tombstones.find({ sweptAt: { $exists: false } })) yield _id.toString()
    },

    async markSwept(account: string): Promise<void> {
      await tombstones.updateOne({ _id: toUuid(account) }, { $set: { sweptAt: new Date() } })
    },
  }
}

export type TombstoneStore = ReturnType<typeof tombstoneStore>
