import { setTimeout as sleep } from 'node:timers/promises'
import type { Db, UUID } from 'mongodb'
import { type Transact, transactionTimeoutMs } from '../database/transaction.ts'
import { type Check, fixTimeoutMs } from './check.ts'
import type { CounterSet } from './counters.ts'
import { recount, recountChunk } from './recount.ts'

/** No transaction that began earlier is still running after this time. */
const maxTransactionMs = transactionTimeoutMs + 1_000

export const checkCounters = (db: Db, transact: Transact, set: CounterSet): Check => ({
  name: set.name,
  read: (snapshot, session, after, size) => recountChunk(snapshot, session, set, after, size),
  prepare: async (drifts) => {
    const ids = drifts.filter(({ isMissing }) => isMissing).map(({ id }) => id)
    if (ids.length > 0) await createMissing(db, set, ids)
  },
  fix: ({ id }) => fixCounters(db, transact, set, id),
})

/**
 * No concurrent write is lost or counted twice: each writes the counted document and the document with the counter in
 * one transaction, so it conflicts with this one, and one of them runs again from a snapshot with the other's commit.
 * This one writes before it counts, so that the other has to: a popular post can be counted under load.
 */
async function fixCounters(db: Db, transact: Transact, set: CounterSet, _id: UUID): Promise<void> {
  const stored = db.collection<{ _id: UUID; recounting?: boolean }>(set.storedIn)
  await transact(async (session) => {
    // A write that is never visible: the second update removes the field. An $inc by 0 would not be a write.
    const { matchedCount } = await stored.updateOne({ _id }, { $set: { recounting: true } }, { session })
    if (matchedCount === 0) return
    const countsOf = await recount(db, session, set, [_id])
    const revision = set.hasRevision && { $inc: { revision: 1 } }
    await stored.updateOne({ _id }, { $set: countsOf(_id), $unset: { recounting: true }, ...revision }, { session })
  }, performance.now() + fixTimeoutMs)
}

/**
 * Creates documents with counters of 0, and waits. Before a document exists, a concurrent write to its counter matches
 * nothing and conflicts with nothing, and such a transaction can still commit. The count starts after all of them.
 */
async function createMissing(db: Db, set: CounterSet, ids: readonly UUID[]): Promise<void> {
  const zeros = Object.fromEntries(set.counters.map(({ field }) => [field, 0]))
  const stored = db.collection<{ _id: UUID }>(set.storedIn)
  await stored.bulkWrite(
    ids.map((_id) => ({ updateOne: { filter: { _id }, update: { $setOnInsert: zeros }, upsert: true } })),
    { ordered: false },
  )
  await sleep(maxTransactionMs)
}
