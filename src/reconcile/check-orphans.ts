import { type ClientSession, type Db, type Document, UUID } from 'mongodb'
import { newId } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import { type Check, type Chunk, fixPatience } from './check.ts'
import { type Ownership, ownerCollections } from './ownership.ts'

/** Removes what belongs to those that are marked as removed: what the servers do in the background. */
export type Sweeps = { readonly [Owner in Ownership['owner']]: (signal: AbortSignal) => Promise<void> }

/** Things whose owner is not there, and not waiting to be swept: see posts/sweep.ts and accounts/sweep.ts. */
export const checkOrphans = (db: Db, transact: Transact, sweeps: Sweeps, belonging: Ownership): Check => ({
  name: belonging.name,
  read: (snapshot, session, after, size) => readSome(snapshot, session, belonging, after, size),
  prepare: async () => undefined,
  fix: ({ id }) => sweepOrphans(db, transact, sweeps, belonging, id),
})

/** What belongs to owners in a range of ids but to none of these: an index is read in the gaps between them. */
export function orphanPipeline(
  { ownerField: by, owner }: Ownership,
  range: Document,
  owners: readonly UUID[],
  limit: number,
): Document[] {
  return [
    { $match: { [by]: { ...range, $nin: owners } } },
    { $group: { _id: `$${by}`, count: { $sum: 1 } } },
    { $lookup: { from: ownerCollections[owner].tombstones, localField: '_id', foreignField: '_id', as: 'removed' } },
    { $match: { removed: { $not: { $elemMatch: { sweptAt: { $exists: false } } } } } },
    { $project: { count: 1 } },
    { $sort: { _id: 1 } },
    { $limit: limit },
  ]
}

/** Walks over the owners, and looks what is between them. */
async function readSome(
  db: Db,
  session: ClientSession,
  belonging: Ownership,
  after: UUID,
  size: number,
): Promise<Chunk> {
  const { owned: things, ownerField: by, owner } = belonging
  const owned = db.collection(things)
  const page = { session, batchSize: size + 1 }
  const standing = await db
    .collection<{ _id: UUID }>(ownerCollections[owner].collection)
    .find({ _id: { $gt: after } }, { ...page, projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(size)
    .toArray()
  const ids = standing.map(({ _id }) => _id)
  const lastOwner = ids.length < size ? undefined : ids.at(-1)
  const pipeline = orphanPipeline(belonging, { $gt: after, ...(lastOwner && { $lte: lastOwner }) }, ids, size)
  const orphans = await owned.aggregate<{ _id: UUID; count: number }>(pipeline, page).toArray()

  const end = (orphans.length < size ? undefined : orphans.at(-1)?._id) ?? lastOwner
  const checked = await owned.countDocuments({ [by]: { $gt: after, ...(end && { $lte: end }) } }, { session })
  const drifts = orphans.map(({ _id, count }) => ({
    id: _id,
    amount: count,
    words: `${owner} ${_id}: is gone, ${count} of its ${things} left`,
  }))
  return { checked, drifts, next: end ?? null }
}

/**
 * Marks the owner as removed and sweeps, as after a removal.
 *
 * Why nothing is removed that somebody wants: that the owner is gone is seen in the transaction that marks it. None gets
 * an id that another had, so what has no owner now has none ever after.
 */
async function sweepOrphans(
  db: Db,
  transact: Transact,
  sweeps: Sweeps,
  { owner }: Ownership,
  _id: UUID,
): Promise<void> {
  const { collection: owners, tombstones: removed } = ownerCollections[owner]
  const marked = await transact(async (session) => {
    if (await db.collection<{ _id: UUID }>(owners).findOne({ _id }, { session, projection: { _id: 1 } })) return false
    const mark = owner === 'post' ? { removal: new UUID(newId()) } : { at: new Date() }
    await db
      .collection<{ _id: UUID }>(removed)
      .updateOne({ _id }, { $set: mark, $unset: { sweptAt: true } }, { session, upsert: true })
    return true
  }, performance.now() + fixPatience)
  if (marked) await sweeps[owner](new AbortController().signal)
}
