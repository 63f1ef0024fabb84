import { type Db, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { type DailyCountsDocument, dayMs } from '../../src/analytics/daily-counts.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'

/** Reactions per insert command, and concurrent commands. */
const batchSize = 5_000
const concurrency = 4
/** The number of writers that the daily counts are spread over. */
const writers = 4
const reactionsPerPost = 1_000

/** Writes reactions over some days, and their daily counts, as the server would have. */
export async function fill(db: Db, { count, from, days }: { count: number; from: Date; days: number }): Promise<void> {
  const reactions = db.collection<ReactionDocument>('reactions')
  const rows = new Map<string, DailyCountsDocument>()
  let done = 0
  let post = new UUID(v7())

  function next(): ReactionDocument {
    if (done % reactionsPerPost === 0) post = new UUID(v7())
    // Each post gets its reactions within two days.
    const at = Math.min(
      days - 1e-9,
      (Math.floor(done / reactionsPerPost) * reactionsPerPost * days) / count + Math.random() * 2,
    )
    const msecs = from.getTime() + Math.floor(at * dayMs)
    const value = Math.random() < 0.7 ? 'like' : 'dislike'
    const account = new UUID(v7())
    done += 1
    const _id = { day: new Date(Math.floor(msecs / dayMs) * dayMs), writer: 1 + (done % writers) }
    const name = `${_id.day.getTime()} ${_id.writer}`
    const row = rows.get(name) ?? { _id, likes: 0, dislikes: 0 }
    rows.set(name, row)
    if (value === 'like') row.likes += 1
    else row.dislikes += 1
    return { _id: { post, account }, post, account, value, order: new UUID(v7({ msecs })) }
  }

  async function insert(): Promise<void> {
    while (done < count) {
      const documents = Array.from({ length: Math.min(batchSize, count - done) }, next)
      await reactions.insertMany(documents, { ordered: false, writeConcern: { w: 1, j: false } })
    }
  }
  await Promise.all(Array.from({ length: concurrency }, insert))
  await db.collection<DailyCountsDocument>('reactionDays').insertMany([...rows.values()])
}
