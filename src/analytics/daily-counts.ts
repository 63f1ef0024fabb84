import type { AnyBulkWriteOperation, ClientSession, Collection, Db } from 'mongodb'
import { timeOf } from '../database/ids.ts'
import type { ReactionValue } from '../reactions/value.ts'

/** One writer's share, possibly negative: with one row for each day, all writers would conflict on it. */
export type DailyCountsDocument = { _id: { day: Date; writer: number }; likes: number; dislikes: number }

/** The number of no writer: its rows hold the corrections of `npm run reconcile`. */
export const correctionsWriter = 0

export const dailyCountsIn = (db: Db): Collection<DailyCountsDocument> => db.collection('reactionDays')

export const dayMs = 86_400_000

export const dayOf = (id: string): Date => new Date(Math.floor(timeOf(id).getTime() / dayMs) * dayMs)

export type DailyChange = { value: ReactionValue; order: string; difference: 1 | -1 }

export async function addDailyCounts(db: Db, session: ClientSession, writer: number, changes: readonly DailyChange[]) {
  const sums = new Map<number, { likes: number; dislikes: number }>()
  for (const { value, order, difference } of changes) {
    const dayStart = dayOf(order).getTime()
    const { likes, dislikes } = sums.get(dayStart) ?? { likes: 0, dislikes: 0 }
    sums.set(
      dayStart,
      value === 'like' ? { likes: likes + difference, dislikes } : { likes, dislikes: dislikes + difference },
    )
  }
  const rows = [...sums]
    .filter(([, { likes, dislikes }]) => likes !== 0 || dislikes !== 0)
    .map(([dayStart, sum]): AnyBulkWriteOperation<DailyCountsDocument> => {
      const _id = { day: new Date(dayStart), writer }
      return { updateOne: { filter: { _id }, update: { $inc: sum }, upsert: true } }
    })
  if (rows.length > 0) await dailyCountsIn(db).bulkWrite(rows, { session, ordered: false })
}
