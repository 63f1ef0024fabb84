import type { ClientSession, Db, Document, UUID } from 'mongodb'
import type { Chunk, Drift } from './check.ts'
import { type Counter, type Kind, nameOf } from './counters.ts'

type Numbers = ReadonlyMap<string, number>

/** Counts for each of these things, on the server; an index holds all that is looked at. */
export function countPipeline({ by, where }: Counter, ids: readonly UUID[]): Document[] {
  return [
    // The index of replies is partial: it serves only what asks for its type.
    { $match: { [by]: { $in: ids, $type: 'binData' }, ...where } },
    { $group: { _id: `$${by}`, count: { $sum: 1 } } },
  ]
}

async function count(db: Db, session: ClientSession, counter: Counter, ids: readonly UUID[]): Promise<Numbers> {
  const found = await db
    .collection(counter.of)
    .aggregate<{ _id: UUID; count: number }>(countPipeline(counter, ids), { session, batchSize: ids.length })
    .toArray()
  return new Map(found.map(({ _id, count }) => [_id.toString(), count]))
}

/** What the documents say of these things: for each the numbers of its kind's counters, by their fields. */
export async function recount(db: Db, session: ClientSession, { counters }: Kind, ids: readonly UUID[]) {
  const counts: [string, Numbers][] = []
  // One after the other: a transaction has one place at a time, and the first read makes the snapshot.
  for (const counter of counters) counts.push([counter.field, await count(db, session, counter, ids)])
  return (id: UUID): Record<string, number> =>
    Object.fromEntries(counts.map(([field, numbers]) => [field, numbers.get(id.toString()) ?? 0]))
}

/** Counts the next things of a kind and compares. */
export async function recountSome(
  db: Db,
  session: ClientSession,
  kind: Kind,
  after: UUID,
  size: number,
): Promise<Chunk> {
  const page = { session, batchSize: size + 1 }
  const things = await db
    .collection<{ _id: UUID }>(kind.things)
    .find({ _id: { $gt: after } }, { ...page, projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(size)
    .toArray()
  const ids = things.map(({ _id }) => _id)
  if (ids.length === 0) return { checked: 0, drifts: [], next: null }
  const flat = Object.fromEntries(kind.counters.map((counter) => [nameOf(counter), `$${counter.field}`]))
  const kept = await db
    .collection<{ _id: UUID }>(kind.keptIn)
    .find<{ _id: UUID } & Record<string, unknown>>({ _id: { $in: ids } }, { ...page, projection: flat })
    .toArray()
  const keptOf = new Map(kept.map((document) => [document._id.toString(), document]))
  const countedOf = await recount(db, session, kind, ids)
  const drifts = ids.flatMap((id) => driftOf(kind, id, keptOf.get(id.toString()), countedOf(id)))
  return { checked: ids.length, drifts, next: ids.length < size ? null : (ids.at(-1) ?? null) }
}

/** A counter that is not there, or no whole number, differs by what it should be, and by 1 at least. */
function driftOf(
  { counters, thing }: Kind,
  id: UUID,
  kept: Record<string, unknown> | undefined,
  counted: Record<string, number>,
): Drift[] {
  const differences = counters.flatMap((counter) => {
    const should = counted[counter.field] ?? 0
    const says = kept?.[nameOf(counter)]
    if (says === should) return []
    const isNumber = typeof says === 'number' && Number.isInteger(says)
    const amount = isNumber ? Math.abs(says - should) : Math.max(1, should)
    return [{ amount, words: `${nameOf(counter)} says ${isNumber ? says : 'nothing'}, counted ${should}` }]
  })
  if (differences.length === 0) return []
  const words = `${thing} ${id}: ${differences.map(({ words }) => words).join('; ')}`
  const amount = differences.reduce((sum, { amount }) => sum + amount, 0)
  return [{ id, amount, words, missing: kept === undefined }]
}
