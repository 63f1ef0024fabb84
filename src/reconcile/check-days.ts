import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { correctionsWriter, type DailyCountsDocument, dailyCountsIn, dayOf } from '../analytics/daily-counts.ts'
import { dayExpression } from '../analytics/day-expression.ts'
import { TransactionTimeoutError } from '../database/failures.ts'
import { firstIdOf } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import type { ReactionDocument } from '../reactions/model.ts'
import { type Check, type Chunk, type Drift, fixTimeoutMs } from './check.ts'

type Sum = { likes: number; dislikes: number }
/** The difference to add to a day's correction row, and the row's value when the difference was computed. */
type Correction = Sum & { day: Date; previous: Sum }

const zero: Sum = { likes: 0, dislikes: 0 }

/** Compares the daily counts with all reactions, read once and in one snapshot: reactions have no index by time. */
export function checkDays(db: Db, transact: Transact): Check {
  const correctionByDay = new Map<string, Correction>()
  return {
    name: 'days',
    read: (snapshot, session) => readAll(snapshot, session, correctionByDay),
    prepare: async () => undefined,
    fix: async ({ id }) => {
      const correction = correctionByDay.get(id.toString())
      if (correction) await correct(db, transact, correction)
    },
  }
}

async function readAll(db: Db, session: ClientSession, correctionByDay: Map<string, Correction>): Promise<Chunk> {
  const rows = await dailyCountsIn(db).find({}, { session }).toArray()
  const counted = await countAll(db.collection('reactions'), session)
  const stored = new Map<number, Sum>()
  for (const { _id, likes, dislikes } of rows) {
    const sum = stored.get(_id.day.getTime()) ?? zero
    stored.set(_id.day.getTime(), { likes: sum.likes + likes, dislikes: sum.dislikes + dislikes })
  }
  const correctionRows = new Map(
    rows.filter(({ _id }) => _id.writer === correctionsWriter).map((row) => [row._id.day.getTime(), row]),
  )

  const days = [...new Set([...stored.keys(), ...counted.keys()])].sort((a, b) => a - b)
  const drifts = days.flatMap((at): Drift[] => {
    const [actual, expected] = [stored.get(at) ?? zero, counted.get(at) ?? zero]
    const [likes, dislikes] = [expected.likes - actual.likes, expected.dislikes - actual.dislikes]
    if (likes === 0 && dislikes === 0) return []
    const day = new Date(at)
    const id = firstIdOf(day)
    const previous = correctionRows.get(at) ?? zero
    correctionByDay.set(id.toString(), { day, likes, dislikes, previous })
    const differences = (['likes', 'dislikes'] as const)
      .filter((value) => actual[value] !== expected[value])
      .map((value) => `${value}: ${actual[value]} stored, ${expected[value]} counted`)
    const amount = Math.abs(likes) + Math.abs(dislikes)
    return [{ id, amount, description: `day ${day.toISOString().slice(0, 10)}: ${differences.join('; ')}` }]
  })
  return { checked: days.length, drifts, next: null }
}

async function countAll(reactions: Collection<ReactionDocument>, session: ClientSession): Promise<Map<number, Sum>> {
  const [range] = await reactions
    .aggregate<{ first: UUID; last: UUID }>(
      [{ $group: { _id: null, first: { $min: '$order' }, last: { $max: '$order' } } }],
      { session },
    )
    .toArray()
  if (!range) return new Map()
  const day = dayExpression('$order', dayOf(range.first.toString()), dayOf(range.last.toString()))
  const countOf = (value: string) => ({ $sum: { $cond: [{ $eq: ['$value', value] }, 1, 0] } })
  const sums = await reactions
    .aggregate<{ _id: Date } & Sum>([{ $group: { _id: day, likes: countOf('like'), dislikes: countOf('dislike') } }], {
      session,
    })
    .toArray()
  return new Map(sums.map(({ _id, likes, dislikes }) => [_id.getTime(), { likes, dislikes }]))
}

/** Concurrent writes do not change the difference: their transactions change reactions and daily counts by the same. */
async function correct(db: Db, transact: Transact, { day, previous, likes, dislikes }: Correction): Promise<void> {
  const rows: Collection<DailyCountsDocument> = dailyCountsIn(db)
  await transact(async (session) => {
    const _id = { day, writer: correctionsWriter }
    const row = (await rows.findOne({ _id }, { session })) ?? zero
    if (row.likes !== previous.likes || row.dislikes !== previous.dislikes) {
      throw new TransactionTimeoutError('another reconcile has corrected the day')
    }
    await rows.updateOne({ _id }, { $inc: { likes, dislikes } }, { session, upsert: true })
  }, performance.now() + fixTimeoutMs)
}
