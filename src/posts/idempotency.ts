import { createHash } from 'node:crypto'
import { Binary, type ClientSession, type Collection, type Db, type UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

type IdempotencyDocument = { _id: { account: UUID; key: string }; post: UUID; fingerprint: Binary; at: Date }

/** A wish to do something once: whose, under which key, and what exactly. */
export type Claim = { account: string; key: string; fingerprint: Buffer }

const lifetime = 86_400

export const idempotencyIndexes = [{ key: { at: 1 }, expireAfterSeconds: lifetime }] as const

/** What tells one body from another: the members as they are stored, not as they were typed. */
export const fingerprintOf = (members: readonly unknown[]): Buffer =>
  createHash('sha256').update(JSON.stringify(members)).digest()

/** Remembers for a day which post came of which key (draft-ietf-httpapi-idempotency-key-header). */
export function idempotencyRecords(db: Db) {
  const records: Collection<IdempotencyDocument> = db.collection('idempotency')
  return {
    /**
     * Takes a key for a post, or tells what it was taken for. Of two that ask at once the transaction of one conflicts,
     * and is run again when the other has committed: so it waits, and then finds the record.
     */
    async claim(
      { account, key, fingerprint }: Claim,
      post: UUID,
      session: ClientSession,
    ): Promise<{ post: string; sameBody: boolean } | undefined> {
      const _id = { account: toUuid(account), key }
      const now = new Date()
      const record = await records.findOne({ _id }, { session })
      // MongoDB removes what is too old when it gets to it; until then it must not count.
      if (record && record.at.getTime() > now.getTime() - lifetime * 1000) {
        return { post: record.post.toString(), sameBody: fingerprint.equals(record.fingerprint.buffer) }
      }
      await records.replaceOne(
        { _id },
        { post, fingerprint: new Binary(fingerprint), at: now },
        { upsert: true, session },
      )
      return undefined
    },
  }
}
