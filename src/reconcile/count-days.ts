import { type ClientSession, type Collection, type Db, MinKey, type UUID } from 'mongodb'
import { type DailyCountsDocument, dailyCountsIn, dayMs, dayOf } from '../analytics/daily-counts.ts'
import { dayExpression } from '../analytics/day-expression.ts'
import { firstIdOf } from '../database/ids.ts'
import { dayIndex, type ReactionDocument } from '../reactions/model.ts'

export type Sum = { likes: number; dislikes: number }

/** Days from the one that begins at an id, and before another. */
export type DayRange = { from: UUID; end: Date | undefined }

const reactionsIn = (db: Db): Collection<ReactionDocument> => db.collection('reactions')

/** The index holds all that is read. */
const covered = { projection: { _id: 0, order: 1 } } as const

/** The end of as many days as have at most `size` reactions, and of one day at least; undefined behind the last. */
export async function findEnd(db: Db, session: ClientSession, from: UUID, size: number): Promise<Date | undefined> {
  const orders = (skip: number) =>
    reactionsIn(db)
      .find({ order: { $gte: from } }, { session, ...covered })
      .sort(dayIndex)
      .skip(skip)
      .limit(1)
      .toArray()
  const [[first], [beyond]] = [await orders(0), await orders(size)]
  if (!first || !beyond) return undefined
  const dayAfterFirst = dayOf(first.order.toString()).getTime() + dayMs
  return new Date(Math.max(dayAfterFirst, dayOf(beyond.order.toString()).getTime()))
}

export function readRows(db: Db, session: ClientSession, { from, end }: DayRange): Promise<DailyCountsDocument[]> {
  // Before every writer's row of the day.
  const rowsFrom = (day: Date) => ({ day, writer: new MinKey() })
  const _id: object = { $gte: rowsFrom(dayOf(from.toString())), ...(end && { $lt: rowsFrom(end) }) }
  return dailyCountsIn(db).find({ _id }, { session }).toArray()
}

/** By the start of the day, in milliseconds since 1970. */
export async function countReactions(
  db: Db,
  session: ClientSession,
  { from, end }: DayRange,
): Promise<ReadonlyMap<number, Sum>> {
  const order = { $gte: from, ...(end && { $lt: firstIdOf(end) }) }
  const edge = (direction: 1 | -1) =>
    reactionsIn(db)
      .find({ order }, { session, ...covered })
      .sort({ order: direction, value: direction })
      .limit(1)
      .toArray()
  const [[first], [last]] = [await edge(1), await edge(-1)]
  if (!first || !last) return new Map()
  const day = dayExpression('$order', dayOf(first.order.toString()), dayOf(last.order.toString()))
  const countOf = (value: string) => ({ $sum: { $cond: [{ $eq: ['$value', value] }, 1, 0] } })
  const sums = await reactionsIn(db)
    .aggregate<{ _id: Date } & Sum>(
      [{ $match: { order } }, { $group: { _id: day, likes: countOf('like'), dislikes: countOf('dislike') } }],
      { session },
    )
    .toArray()
  return new Map(sums.map(({ _id, likes, dislikes }) => [_id.getTime(), { likes, dislikes }]))
}
