import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { correctionsWriter, type DailyCountsDocument, dailyCountsIn } from '../analytics/daily-counts.ts'
import { TransactionTimeoutError } from '../database/failures.ts'
import { firstIdOf } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import { type Check, type Chunk, type Drift, fixTimeoutMs } from './check.ts'
import { countReactions, findEnd, readRows, type Sum } from './count-days.ts'

/** The difference to add to a day's correction row, and the row's value when the difference was computed. */
type Correction = Sum & { day: Date; previous: Sum }

const zero: Sum = { likes: 0, dislikes: 0 }

/** Reactions in one snapshot, if several days fit: counted in about a second. */
const reactionsPerChunk = 500_000

/** Exact under concurrent writes: all reactions and daily counts of a day are read in one snapshot. */
export function checkDays(db: Db, transact: Transact, chunkSize = reactionsPerChunk): Check {
  const correctionByDay = new Map<string, Correction>()
  return {
    name: 'days',
    chunkSize,
    read: (snapshot, session, after, size) => readChunk(snapshot, session, correctionByDay, after, size),
    prepare: async () => undefined,
    fix: async ({ id }) => {
      const correction = correctionByDay.get(id.toString())
      if (correction) await correct(db, transact, correction)
    },
  }
}

async function readChunk(
  db: Db,
  session: ClientSession,
  correctionByDay: Map<string, Correction>,
  after: UUID,
  size: number,
): Promise<Chunk> {
  const end = await findEnd(db, session, after, size)
  const rows = await readRows(db, session, { from: after, end })
  const counted = await countReactions(db, session, { from: after, end })
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
  return { checked: days.length, drifts, next: end ? firstIdOf(end) : null }
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
