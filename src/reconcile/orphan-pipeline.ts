import { type Document, MaxKey, type UUID } from 'mongodb'
import { type Ownership, ownerCollections } from './ownership.ts'

export type OwnerRange = { after: UUID; upTo?: UUID | undefined }

/** Matches the documents of a range of owners by an index. A bound of `_id` is behind all documents of its owner. */
export function inRange(ownership: Ownership, { after, upTo }: OwnerRange): Document {
  const [field, member] = ownership.ownerField.split('.')
  const endOf = (owner: UUID) => (member === undefined ? owner : { [member]: owner, rest: new MaxKey() })
  return { [field ?? '']: { $gt: endOf(after), ...(upTo && { $lte: endOf(upTo) }) } }
}

const withoutSweepPending = (owner: Ownership['owner'], localField: string): Document[] => [
  { $lookup: { from: ownerCollections[owner].tombstones, localField, foreignField: '_id', as: 'removed' } },
  { $match: { removed: { $not: { $elemMatch: { sweptAt: { $exists: false } } } } } },
]

/** Counts again what no other owner's sweep will delete. */
function withoutOther({ owned, ownerField, other }: Ownership): Document[] {
  if (!other) return []
  const pipeline = [...withoutSweepPending(other.owner, other.ownerField), { $count: 'count' }]
  return [
    { $lookup: { from: owned, localField: '_id', foreignField: ownerField, pipeline, as: 'orphans' } },
    { $match: { orphans: { $ne: [] } } },
    { $set: { count: { $sum: '$orphans.count' } } },
  ]
}

/** Counts, by owner, the documents in a range of owner ids without `owners`: an index scan of the gaps between them. */
export function orphanPipeline(
  ownership: Ownership,
  range: OwnerRange,
  owners: readonly UUID[],
  limit: number,
): Document[] {
  const { ownerField, owner } = ownership
  const isInId = ownerField.startsWith('_id.')
  return [
    { $match: { $and: [inRange(ownership, range), ...(isInId ? [] : [{ [ownerField]: { $nin: owners } }])] } },
    { $group: { _id: `$${ownerField}`, count: { $sum: 1 } } },
    ...(isInId ? [{ $match: { _id: { $nin: owners } } }] : []),
    ...withoutSweepPending(owner, '_id'),
    ...withoutOther(ownership),
    { $project: { count: 1 } },
    { $sort: { _id: 1 } },
    { $limit: limit },
  ]
}
