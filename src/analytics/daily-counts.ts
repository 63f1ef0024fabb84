import type { AnyBulkWriteOperation, ClientSession, Collection, Db } from 'mongodb'
import { timeOf } from '../database/ids.ts'
import type { ReactionValue } from '../reactions/value.ts'

/**
 * How many reactions of a day stand, as far as one writer has counted them: what others wrote may make it negative.
 * The sum over all writers is what stands. With one row a day all writers would conflict on it.
 */
export type DayDocument = { _id: { day: Date; writer: number }; likes: number; dislikes: number }

/** The rows of nobody's own: what `npm run reconcile` has put right. */
export const corrections = 0

export const daysIn = (db: Db): Collection<DayDocument> => db.collection('reactionDays')

/** A day in milliseconds. UTC has no other. */
export const day = 86_400_000

/** When the day began, in UTC, of something of this UUIDv7. */
export const dayOf = (id: string): Date => new Date(Math.floor(timeOf(id).getTime() / day) * day)

/** A reaction of this place that came (1) or went (-1). */
export type DailyChange = { value: ReactionValue; order: string; difference: 1 | -1 }

/** Counts reactions that come and go, inside the transaction that writes them. */
export async function addToDays(db: Db, session: ClientSession, writer: number, changes: readonly DailyChange[]) {
  const sums = new Map<number, { likes: number; dislikes: number }>()
  for (const { value, order, difference } of changes) {
    const at = dayOf(order).getTime()
    const { likes, dislikes } = sums.get(at) ?? { likes: 0, dislikes: 0 }
    sums.set(
      at,
      value === 'like' ? { likes: likes + difference, dislikes } : { likes, dislikes: dislikes + difference },
    )
  }
  const rows = [...sums]
    .filter(([, { likes, dislikes }]) => likes !== 0 || dislikes !== 0)
    .map(([at, sum]): AnyBulkWriteOperation<DayDocument> => {
      const _id = { day: new Date(at), writer }
      return { updateOne: { filter: { _id }, update: { $inc: sum }, upsert: true } }
    })
  if (rows.length > 0) await daysIn(db).bulkWrite(rows, { session, ordered: false })
}
