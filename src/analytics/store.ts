import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { firstIdOf } from '../database/ids.ts'
import { boundedTime } from '../database/max-time.ts'
import { inSnapshot, type SnapshotOptions } from '../database/snapshot.ts'
import type { Ticket } from '../limits/fair-queue.ts'
import { readQueue } from '../limits/read-queue.ts'
import type { PostTombstone } from '../posts/model.ts'
import type { ReactionDocument } from '../reactions/model.ts'
import { dailyCountsIn, dayMs } from './daily-counts.ts'
import { dayExpression } from './day-expression.ts'

export type DailyCounts = { day: Date; likes: number; dislikes: number }

const noCounts = { likes: 0, dislikes: 0 }
/** In one process: each reads the reactions to all posts that have not been swept yet. */
const maxConcurrentReads = 2

async function sumWriters(db: Db, options: SnapshotOptions, from: Date, after: Date): Promise<DailyCounts[]> {
  const found = await dailyCountsIn(db)
    .aggregate<{ _id: Date; likes: number; dislikes: number }>(
      [
        { $match: { _id: { $gte: { day: from }, $lt: { day: after } } } },
        { $group: { _id: '$_id.day', likes: { $sum: '$likes' }, dislikes: { $sum: '$dislikes' } } },
      ],
      { ...options, ...boundedTime },
    )
    .toArray()
  return found.map(({ _id, likes, dislikes }) => ({ day: _id, likes, dislikes }))
}

async function sumUnswept(db: Db, options: SnapshotOptions, from: Date, after: Date): Promise<DailyCounts[]> {
  const tombstones: Collection<PostTombstone> = db.collection('removedPosts')
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const unswept = await tombstones
    .find({ sweptAt: { $exists: false } }, { ...options, projection: { _id: 1 }, ...boundedTime })
    .toArray()
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
            _id: dayExpression('$order', from, new Date(after.getTime() - dayMs)),
            likes: { $sum: { $cond: [{ $eq: ['$value', 'like'] }, 1, 0] } },
            dislikes: { $sum: { $cond: [{ $eq: ['$value', 'dislike'] }, 1, 0] } },
          },
        },
      ],
      { ...options, ...boundedTime },
    )
    .toArray()
  return found.map(({ _id, likes, dislikes }) => ({ day: _id, likes, dislikes }))
}

export function analyticsStore(db: Db) {
  const queue = readQueue(maxConcurrentReads)

  return {
    /** @throws Problem `overloaded`; the reason of the ticket's signal */
    async reactionsByDay(from: Date, to: Date, ticket: Ticket): Promise<DailyCounts[]> {
      const after = new Date(to.getTime() + dayMs)
      const read = async (snapshot: Db, _: ClientSession, options: SnapshotOptions) => ({
        stored: await sumWriters(snapshot, options, from, after),
        unswept: await sumUnswept(snapshot, options, from, after),
      })
      const { stored, unswept } = await queue(() => inSnapshot(db.client, db.databaseName, read, ticket.signal), ticket)
      const storedByDay = new Map(stored.map((counts) => [counts.day.getTime(), counts]))
      const unsweptByDay = new Map(unswept.map((counts) => [counts.day.getTime(), counts]))
      const days: DailyCounts[] = []
      for (let at = from.getTime(); at < after.getTime(); at += dayMs) {
        const counts = storedByDay.get(at) ?? noCounts
        const hidden = unsweptByDay.get(at) ?? noCounts
        days.push({
          day: new Date(at),
          likes: counts.likes - hidden.likes,
          dislikes: counts.dislikes - hidden.dislikes,
        })
      }
      return days
    },
  }
}

export type AnalyticsStore = ReturnType<typeof analyticsStore>
