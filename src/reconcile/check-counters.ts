import { setTimeout as sleep } from 'node:timers/promises'
import type { Db, UUID } from 'mongodb'
import { type Transact, transactionTimeoutMs } from '../database/transaction.ts'
import { type Check, fixPatience } from './check.ts'
import type { Kind } from './counters.ts'
import { recount, recountSome } from './recount.ts'

/** Longer than any transaction that had begun goes on, in milliseconds. */
const untilAllBeganAnew = transactionTimeoutMs + 1_000

/** The counters of a kind, held against what they count. */
export const checkCounters = (db: Db, transact: Transact, kind: Kind): Check => ({
  name: kind.name,
  read: (snapshot, session, after, size) => recountSome(snapshot, session, kind, after, size),
  prepare: async (drifts) => {
    const missing = drifts.filter(({ missing }) => missing)
    if (missing.length > 0)
      await makeMissing(
        db,
        kind,
        missing.map(({ id }) => id),
      )
  },
  fix: ({ id }) => fixCounters(db, transact, kind, id),
})

/**
 * Counts a thing and writes down what was counted, in one transaction. What the walk had found is not used: it may be
 * old.
 *
 * Why no write of others is lost, or counted twice: each of them writes the counted document and the counter in one
 * transaction, and so writes the document that is written here. Of two transactions that write one document, and ran at
 * the same time, MongoDB lets one commit. The other is run again, from a snapshot in which that commit is. Ours writes
 * before it counts, so that who comes meanwhile is the one to run again: a post with a million reactions is counted at
 * leisure, however much it is reacted to.
 */
async function fixCounters(db: Db, transact: Transact, kind: Kind, _id: UUID): Promise<void> {
  const kept = db.collection<{ _id: UUID; recounting?: boolean }>(kind.keptIn)
  await transact(async (session) => {
    // Seen by nobody: it is gone at the commit. An $inc by 0 would be no write.
    const { matchedCount } = await kept.updateOne({ _id }, { $set: { recounting: true } }, { session })
    if (matchedCount === 0) return
    const countedOf = await recount(db, session, kind, [_id])
    const revision = kind.revised && { $inc: { revision: 1 } }
    await kept.updateOne({ _id }, { $set: countedOf(_id), $unset: { recounting: true }, ...revision }, { session })
  }, performance.now() + fixPatience)
}

/**
 * Makes documents that keep counters, as at the beginning: all 0.
 *
 * While there is none, nothing conflicts with who counts something in it: their write finds nothing to write to. Who
 * began before it was there may still commit so. Only after these is it counted.
 */
async function makeMissing(db: Db, kind: Kind, ids: readonly UUID[]): Promise<void> {
  const zeros = Object.fromEntries(kind.counters.map(({ field }) => [field, 0]))
  const kept = db.collection<{ _id: UUID }>(kind.keptIn)
  await kept.bulkWrite(
    ids.map((_id) => ({ updateOne: { filter: { _id }, update: { $setOnInsert: zeros }, upsert: true } })),
    { ordered: false },
  )
  await sleep(untilAllBeganAnew)
}
