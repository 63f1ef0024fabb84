import { type ClientSession, type Db, UUID } from 'mongodb'
import { newId } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import { type Check, type Chunk, fixTimeoutMs } from './check.ts'
import { inRange, orphanPipeline } from './orphan-pipeline.ts'
import { isUncounted, type Ownership, ownerCollections, type UncountedCollection } from './ownership.ts'

export type Sweeps = { readonly [Owner in Ownership['owner']]: (signal: AbortSignal) => Promise<void> } & {
  /** Deletes an account's documents that no other document counts. */
  readonly deleteAll: { readonly [Owned in UncountedCollection]: (account: string) => Promise<unknown> }
}

export const checkOrphans = (db: Db, transact: Transact, sweeps: Sweeps, ownership: Ownership): Check => ({
  name: ownership.name,
  read: (snapshot, session, after, size) => readChunk(snapshot, session, ownership, after, size),
  prepare: async () => undefined,
  fix: async ({ id }) => {
    const { owned } = ownership
    if (isUncounted(owned)) await deleteOrphans(db, sweeps, owned, ownership.owner, id)
    else await sweepOrphans(db, transact, sweeps, ownership, id)
  },
})

async function readChunk(
  db: Db,
  session: ClientSession,
  ownership: Ownership,
  after: UUID,
  size: number,
): Promise<Chunk> {
  const { owned, owner } = ownership
  const collection = db.collection(owned)
  const page = { session, batchSize: size + 1 }
  const existing = await db
    .collection<{ _id: UUID }>(ownerCollections[owner].collection)
    .find({ _id: { $gt: after } }, { ...page, projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(size)
    .toArray()
  const ids = existing.map(({ _id }) => _id)
  const lastOwner = ids.length < size ? undefined : ids.at(-1)
  const pipeline = orphanPipeline(ownership, { after, upTo: lastOwner }, ids, size)
  const orphans = await collection.aggregate<{ _id: UUID; count: number }>(pipeline, page).toArray()

  const end = (orphans.length < size ? undefined : orphans.at(-1)?._id) ?? lastOwner
  const checked = await collection.countDocuments(inRange(ownership, { after, upTo: end }), { session })
  const drifts = orphans.map(({ _id, count }) => ({
    id: _id,
    amount: count,
    description: `${owner} ${_id}: does not exist, owns ${count} ${owned}`,
  }))
  return { checked, drifts, next: end ?? null }
}

async function deleteOrphans(
  db: Db,
  sweeps: Sweeps,
  owned: UncountedCollection,
  owner: Ownership['owner'],
  _id: UUID,
): Promise<void> {
  const owners = db.collection<{ _id: UUID }>(ownerCollections[owner].collection)
  if (await owners.findOne({ _id }, { projection: { _id: 1 } })) return
  await sweeps.deleteAll[owned](_id.toString())
}

/** Deletes nothing that has an owner: the transaction reads that the owner does not exist, and ids are never reused. */
async function sweepOrphans(
  db: Db,
  transact: Transact,
  sweeps: Sweeps,
  { owner }: Ownership,
  _id: UUID,
): Promise<void> {
  const { collection, tombstones } = ownerCollections[owner]
  const isOrphaned = await transact(async (session) => {
    if (await db.collection<{ _id: UUID }>(collection).findOne({ _id }, { session, projection: { _id: 1 } }))
      return false
    const tombstone = owner === 'post' ? { removal: new UUID(newId()) } : { at: new Date() }
    await db
      .collection<{ _id: UUID }>(tombstones)
      .updateOne({ _id }, { $set: tombstone, $unset: { sweptAt: true } }, { session, upsert: true })
    return true
  }, performance.now() + fixTimeoutMs)
  if (isOrphaned) await sweeps[owner](new AbortController().signal)
}
