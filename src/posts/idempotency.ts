import { createHash } from 'node:crypto'
import { Binary, type ClientSession, type Collection, type Db, type UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'

type IdempotencyDocument = { _id: { account: UUID; key: string }; post: UUID; fingerprint: Binary; at: Date }

/** A key, and what exactly is to be done under it, as `fingerprintOf` tells it. */
export type Claim = { key: string; fingerprint: string }

/** What wants to be done once: by whom, under which key, and the post that would come of it. */
type Claimant = { id: string; author: string; claim: Claim | null }

type Entry = { account: string; key: string; post: string; fingerprint: string }

const lifetime = 86_400

export const idempotencyIndexes = [{ key: { at: 1 }, expireAfterSeconds: lifetime }] as const

/** What tells one body from another: the members as they are stored, not as they were typed. */
export const fingerprintOf = (members: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(members)).digest('base64')

// An id has no space, and a key has none.
const nameOf = (account: string, key: string) => `${account} ${key}`

/**
 * Remembers for a day which post came of which key (draft-ietf-httpapi-idempotency-key-header). Of two that claim a key
 * at once the transaction of one conflicts, and is run again when the other has committed: so it waits, and then finds
 * the record.
 */
export function idempotencyRecords(db: Db) {
  const records: Collection<IdempotencyDocument> = db.collection('idempotency')
  return {
    /** Removes all keys of an account. They are visible ASCII. */
    async deleteAll(account: string): Promise<void> {
      const owner = toUuid(account)
      await records.deleteMany({ _id: { $gte: { account: owner, key: '' }, $lte: { account: owner, key: '\x7f' } } })
    },

    /** The records of a batch, as a transaction sees them. */
    async read(claimants: readonly Claimant[], session: ClientSession) {
      const keys = new Map(
        claimants.flatMap(({ author, claim }) =>
          claim ? [[nameOf(author, claim.key), { account: toUuid(author), key: claim.key }]] : [],
        ),
      )
      const now = new Date()
      const found =
        keys.size === 0
          ? []
          : await records.find({ _id: { $in: [...keys.values()] } }, { session, ...singleBatch(keys.size) }).toArray()
      const known = new Map<string, Entry>()
      for (const { _id, post, fingerprint, at } of found) {
        // MongoDB removes what is too old when it gets to it; until then it must not count.
        if (at.getTime() <= now.getTime() - lifetime * 1000) continue
        const account = _id.account.toString()
        const entry = { account, key: _id.key, post: post.toString(), fingerprint: fingerprint.toString('base64') }
        known.set(nameOf(account, _id.key), entry)
      }
      const added: Entry[] = []
      return {
        /** What a claimant's key stands for, if somebody has added it. */
        of({ author, claim }: Claimant): { post: string; sameBody: boolean } | undefined {
          const entry = claim === null ? undefined : known.get(nameOf(author, claim.key))
          return entry && { post: entry.post, sameBody: entry.fingerprint === claim?.fingerprint }
        },
        /** Takes the claimant's key, if it has one. */
        add({ id, author, claim }: Claimant): void {
          if (claim === null) return
          const entry = { account: author, post: id, ...claim }
          known.set(nameOf(author, claim.key), entry)
          added.push(entry)
        },
        /** Writes down what was added. */
        async write(): Promise<void> {
          if (added.length === 0) return
          await records.bulkWrite(
            added.map(({ account, key, post, fingerprint }) => ({
              replaceOne: {
                filter: { _id: { account: toUuid(account), key } },
                replacement: { post: toUuid(post), fingerprint: Binary.createFromBase64(fingerprint), at: now },
                upsert: true,
              },
            })),
            { session, ordered: false },
          )
        },
      }
    },
  }
}
