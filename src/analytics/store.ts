import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { firstIdOf } from '../database/ids.ts'
import { inSnapshot } from '../database/snapshot.ts'
import type { PostTombstone } from '../posts/model.ts'
import type { ReactionDocument } from '../reactions/model.ts'
import { day, daysIn } from './daily-counts.ts'
import { dayExpression } from './day-expression.ts'

export type DaySum = { day: Date; likes: number; dislikes: number }

/** What stands in the rows of all writers, by day. */
async function sumRows(db: Db, session: ClientSession, from: Date, after: Date): Promise<DaySum[]> {
  const found = await daysIn(db)
    .aggregate<{ _id: Date; likes: number; dislikes: number }>(
      [
        { $match: { _id: { $gte: { day: from }, $lt: { day: after } } } },
        { $group: { _id: '$_id.day', likes: { $sum: '$likes' }, dislikes: { $sum: '$dislikes' } } },
      ],
      { session },
    )
    .toArray()
  return found.map(({ _id, likes, dislikes }) => ({ day: _id, likes, dislikes }))
}

/** What is counted in the rows still of posts that are gone: until they are swept. */
async function sumUnswept(db: Db, session: ClientSession, from: Date, after: Date): Promise<DaySum[]> {
  const removed: Collection<PostTombstone> = db.collection('removedPosts')
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const unswept = await removed.find({ sweptAt: { $exists: false } }, { session, projection: { _id: 1 } }).toArray()
  if (unswept.length === 0) return []
  const found = await reactions
    .aggregate<{ _id: Date; likes: number; dislikes: number }>(
      [
        {
          $match: {
            post: { $in: unswept.map(({ _id }): UUID => _id) },
            value: { $in: ['like', 'dislike'] },
            order: { $gte: firstIdOf(from), $lt: firstIdOf(after) },
          },
        },
        {
          $group: {
            _id: dayExpression('$order', from, new Date(after.getTime() - day)),
            likes: { $sum: { $cond: [{ $eq: ['$value', 'like'] }, 1, 0] } },
            dislikes: { $sum: { $cond: [{ $eq: ['$value', 'dislike'] }, 1, 0] } },
          },
        },
      ],
      { session },
    )
    .toArray()
  return found.map(({ _id, likes, dislikes }) => ({ day: _id, likes, dislikes }))
}

/** Tells how many reactions of each day stand. */
export function analyticsStore(db: Db) {
  return {
    /** Every day of a range, its last day included. */
    async reactionsByDay(from: Date, to: Date): Promise<DaySum[]> {
      const after = new Date(to.getTime() + day)
      const { rows, unswept } = await inSnapshot(db.client, db.databaseName, async (db, session) => ({
        rows: await sumRows(db, session, from, after),
        unswept: await sumUnswept(db, session, from, after),
      }))
      const counted = new Map(rows.map((sum) => [sum.day.getTime(), sum]))
      const hidden = new Map(unswept.map((sum) => [sum.day.getTime(), sum]))
      const days: DaySum[] = []
      for (let at = from.getTime(); at < after.getTime(); at += day) {
        const { likes = 0, dislikes = 0 } = counted.get(at) ?? {}
        const less = hidden.get(at)
        days.push({ day: new Date(at), likes: likes - (less?.likes ?? 0), dislikes: dislikes - (less?.dislikes ?? 0) })
      }
      return days
    },
  }
}

export type AnalyticsStore = ReturnType<typeof analyticsStore>
