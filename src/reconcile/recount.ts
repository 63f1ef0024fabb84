import type { ClientSession, Db, Document, UUID } from 'mongodb'
import type { Chunk, Drift } from './check.ts'
import { type Counter, type CounterSet, nameOf } from './counters.ts'

type Counts = ReadonlyMap<string, number>

export function countPipeline({ foreignKey, where }: Counter, ids: readonly UUID[]): Document[] {
  return [
    // The index of replies is partial: MongoDB uses it only for a query with its $type.
    { $match: { [foreignKey]: { $in: ids, $type: 'binData' }, ...where } },
    { $group: { _id: `$${foreignKey}`, count: { $sum: 1 } } },
  ]
}

async function count(db: Db, session: ClientSession, counter: Counter, ids: readonly UUID[]): Promise<Counts> {
  const found = await db
    .collection(counter.countedCollection)
    .aggregate<{ _id: UUID; count: number }>(countPipeline(counter, ids), { session, batchSize: ids.length })
    .toArray()
  return new Map(found.map(({ _id, count }) => [_id.toString(), count]))
}

export async function recount(db: Db, session: ClientSession, { counters }: CounterSet, ids: readonly UUID[]) {
  const counts: [string, Counts][] = []
  // In sequence: a session runs one operation at a time.
  for (const counter of counters) counts.push([counter.field, await count(db, session, counter, ids)])
  return (id: UUID): Record<string, number> =>
    Object.fromEntries(counts.map(([field, numbers]) => [field, numbers.get(id.toString()) ?? 0]))
}

export async function recountChunk(
  db: Db,
  session: ClientSession,
  set: CounterSet,
  after: UUID,
  size: number,
): Promise<Chunk> {
  const page = { session, batchSize: size + 1 }
  const documents = await db
    .collection<{ _id: UUID }>(set.collection)
    .find({ _id: { $gt: after } }, { ...page, projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(size)
    .toArray()
  const ids = documents.map(({ _id }) => _id)
  if (ids.length === 0) return { checked: 0, drifts: [], next: null }
  const flat = Object.fromEntries(set.counters.map((counter) => [nameOf(counter), `$${counter.field}`]))
  const stored = await db
    .collection<{ _id: UUID }>(set.storedIn)
    .find<{ _id: UUID } & Record<string, unknown>>({ _id: { $in: ids } }, { ...page, projection: flat })
    .toArray()
  const storedOf = new Map(stored.map((document) => [document._id.toString(), document]))
  const countsOf = await recount(db, session, set, ids)
  const drifts = ids.flatMap((id) => driftOf(set, id, storedOf.get(id.toString()), countsOf(id)))
  return { checked: ids.length, drifts, next: ids.length < size ? null : (ids.at(-1) ?? null) }
}

/** A counter that is missing or not an integer counts as a difference of its real count, and of 1 at least. */
function driftOf(
  { counters, label }: CounterSet,
  id: UUID,
  document: Record<string, unknown> | undefined,
  counts: Record<string, number>,
): Drift[] {
  const differences = counters.flatMap((counter) => {
    const counted = counts[counter.field] ?? 0
    const stored = document?.[nameOf(counter)]
    if (stored === counted) return []
    const isInteger = typeof stored === 'number' && Number.isInteger(stored)
    const amount = isInteger ? Math.abs(stored - counted) : Math.max(1, counted)
    return [{ amount, description: `${nameOf(counter)}: ${isInteger ? stored : 'nothing'} stored, ${counted} counted` }]
  })
  if (differences.length === 0) return []
  const description = `${label} ${id}: ${differences.map((difference) => difference.description).join('; ')}`
  const amount = differences.reduce((sum, difference) => sum + difference.amount, 0)
  return [{ id, amount, description, isMissing: document === undefined }]
}
