import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { corrections, type DayDocument, dayOf, daysIn } from '../analytics/daily-counts.ts'
import { dayExpression } from '../analytics/day-expression.ts'
import { TransactionTimeoutError } from '../database/failures.ts'
import { firstIdOf } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import type { ReactionDocument } from '../reactions/model.ts'
import { type Check, type Chunk, type Drift, fixPatience } from './check.ts'

type Sum = { likes: number; dislikes: number }
/** What is to be added to the corrections of a day, and what they were when that was found. */
type Correction = Sum & { day: Date; was: Sum }

const none: Sum = { likes: 0, dislikes: 0 }

/**
 * The reactions of each day, held against those that there are. All are read, once and in one snapshot, as none of
 * their indexes is by time.
 */
export function checkDays(db: Db, transact: Transact): Check {
  const found = new Map<string, Correction>()
  return {
    name: 'days',
    read: (snapshot, session) => readAll(snapshot, session, found),
    prepare: async () => undefined,
    fix: async ({ id }) => {
      const correction = found.get(id.toString())
      if (correction) await correct(db, transact, correction)
    },
  }
}

async function readAll(db: Db, session: ClientSession, found: Map<string, Correction>): Promise<Chunk> {
  const rows = await daysIn(db).find({}, { session }).toArray()
  const counted = await countAll(db.collection('reactions'), session)
  const said = new Map<number, Sum>()
  for (const { _id, likes, dislikes } of rows) {
    const sum = said.get(_id.day.getTime()) ?? none
    said.set(_id.day.getTime(), { likes: sum.likes + likes, dislikes: sum.dislikes + dislikes })
  }
  const correctionsOf = new Map(
    rows.filter(({ _id }) => _id.writer === corrections).map((row) => [row._id.day.getTime(), row]),
  )

  const days = [...new Set([...said.keys(), ...counted.keys()])].sort((one, other) => one - other)
  const drifts = days.flatMap((at): Drift[] => {
    const [says, should] = [said.get(at) ?? none, counted.get(at) ?? none]
    const [likes, dislikes] = [should.likes - says.likes, should.dislikes - says.dislikes]
    if (likes === 0 && dislikes === 0) return []
    const day = new Date(at)
    const id = firstIdOf(day)
    const { likes: l, dislikes: d } = correctionsOf.get(at) ?? none
    found.set(id.toString(), { day, likes, dislikes, was: { likes: l, dislikes: d } })
    const words = (['likes', 'dislikes'] as const)
      .filter((value) => says[value] !== should[value])
      .map((value) => `${value} says ${says[value]}, counted ${should[value]}`)
    const amount = Math.abs(likes) + Math.abs(dislikes)
    return [{ id, amount, words: `day ${day.toISOString().slice(0, 10)}: ${words.join('; ')}` }]
  })
  return { checked: days.length, drifts, next: null }
}

/** All reactions there are, by day. */
async function countAll(reactions: Collection<ReactionDocument>, session: ClientSession): Promise<Map<number, Sum>> {
  const [ends] = await reactions
    .aggregate<{ first: UUID; last: UUID }>(
      [{ $group: { _id: null, first: { $min: '$order' }, last: { $max: '$order' } } }],
      { session },
    )
    .toArray()
  if (!ends) return new Map()
  const day = dayExpression('$order', dayOf(ends.first.toString()), dayOf(ends.last.toString()))
  const is = (value: string) => ({ $sum: { $cond: [{ $eq: ['$value', value] }, 1, 0] } })
  const sums = await reactions
    .aggregate<{ _id: Date } & Sum>([{ $group: { _id: day, likes: is('like'), dislikes: is('dislike') } }], { session })
    .toArray()
  return new Map(sums.map(({ _id, likes, dislikes }) => [_id.getTime(), { likes, dislikes }]))
}

/**
 * Adds what was missing. Others may write meanwhile: each of their transactions changes the reactions and the rows by
 * the same, so that the difference stays what it was found to be.
 *
 * @throws TransactionTimeoutError when somebody else has corrected the day since.
 */
async function correct(db: Db, transact: Transact, { day, was, likes, dislikes }: Correction): Promise<void> {
  const rows: Collection<DayDocument> = daysIn(db)
  await transact(async (session) => {
    const _id = { day, writer: corrections }
    const row = (await rows.findOne({ _id }, { session })) ?? none
    if (row.likes !== was.likes || row.dislikes !== was.dislikes) {
      throw new TransactionTimeoutError('the day was corrected by somebody else meanwhile')
    }
    await rows.updateOne({ _id }, { $inc: { likes, dislikes } }, { session, upsert: true })
  }, performance.now() + fixPatience)
}
