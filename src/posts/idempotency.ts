import { createHash } from 'node:crypto'
import { Binary, type ClientSession, type Collection, type Db, type UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'

type IdempotencyDocument = { _id: { account: UUID; key: string }; post: UUID; fingerprint: Binary; at: Date }

export type Claim = { key: string; fingerprint: string }

type Claimant = { id: string; author: string; claim: Claim | null }

type Entry = { account: string; key: string; post: string; fingerprint: string }

const lifetimeSeconds = 86_400

export const idempotencyIndexes = [{ key: { at: 1 }, expireAfterSeconds: lifetimeSeconds }] as const

/** Distinguishes bodies by their members as they are stored, after normalisation. */
export const fingerprintOf = (members: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(members)).digest('base64')

// Unambiguous: neither an id nor a key contains a space.
const nameOf = (account: string, key: string) => `${account} ${key}`

/** Of two concurrent claims, one conflicts, and its retry finds the record (draft-ietf-httpapi-idempotency-key-header). */
export function idempotencyRecords(db: Db) {
  const records: Collection<IdempotencyDocument> = db.collection('idempotency')
  return {
    /** Deletes all records of an account; keys are visible ASCII, so the range contains all of them. */
    async deleteAll(account: string): Promise<void> {
      const owner = toUuid(account)
      await records.deleteMany({ _id: { $gte: { account: owner, key: '' }, $lte: { account: owner, key: '\x7f' } } })
    },

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
        // MongoDB deletes expired documents with a delay.
        if (at.getTime() <= now.getTime() - lifetimeSeconds * 1_000) continue
        const account = _id.account.toString()
        const entry = { account, key: _id.key, post: post.toString(), fingerprint: fingerprint.toString('base64') }
        known.set(nameOf(account, _id.key), entry)
      }
      const added: Entry[] = []
      return {
        of({ author, claim }: Claimant): { post: string; sameBody: boolean } | undefined {
          const entry = claim === null ? undefined : known.get(nameOf(author, claim.key))
          return entry && { post: entry.post, sameBody: entry.fingerprint === claim?.fingerprint }
        },
        add({ id, author, claim }: Claimant): void {
          if (claim === null) return
          const entry = { account: author, post: id, ...claim }
          known.set(nameOf(author, claim.key), entry)
          added.push(entry)
        },
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
