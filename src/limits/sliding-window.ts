import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Collection, Db } from 'mongodb'
import { type Limit, rateLimited } from './headers.ts'
import { recentRefusals } from './recent-refusals.ts'
import { releaseSoon } from './release.ts'

type AttemptsDocument = { _id: string; taken: { id: string; at: Date }[]; until: Date }

/** A counter with the database's time, which may differ from ours. */
type Found = AttemptsDocument & { now: Date }

/** @property keepSeconds - after the last use; by default the window */
export type Counter = { limit: Limit; subject: string; keepSeconds?: number }

export const slidingWindowIndexes = [{ key: { until: 1 }, expireAfterSeconds: 60 }] as const

const keyOf = ({ limit, subject }: Counter) => `${limit.name}:${subject}`

/** By the database's clock, in one atomic update for each counter. @param nowMs - for how long a refusal is remembered */
export function slidingWindow(db: Db, log: FastifyBaseLogger, nowMs?: () => number) {
  const attempts: Collection<AttemptsDocument> = db.collection('attempts')
  const refusals = recentRefusals(nowMs)

  /** The seconds until the next attempt is allowed; undefined if it is now. */
  function secondsUntilFree(
    { limit: { quota, windowSeconds } }: Counter,
    found: Found | undefined,
  ): number | undefined {
    if (found === undefined) return undefined
    const from = found.now.getTime() - windowSeconds * 1_000
    const next = found.taken.filter(({ at }) => at.getTime() > from).at(-quota)
    return next && Math.max(1, Math.ceil((next.at.getTime() - from) / 1_000))
  }

  async function acquireOne(counter: Counter, id: string): Promise<boolean> {
    const { quota, windowSeconds } = counter.limit
    const { keepSeconds = windowSeconds } = counter
    const recent = {
      $filter: {
        input: { $ifNull: ['$taken', []] },
        cond: { $gt: ['$$this.at', { $subtract: ['$$NOW', windowSeconds * 1_000] }] },
      },
    }
    const more = { $concatArrays: ['$taken', [{ id, at: '$$NOW' }]] }
    const after = await attempts.findOneAndUpdate(
      { _id: keyOf(counter) },
      [
        { $set: { taken: recent, until: { $add: ['$$NOW', keepSeconds * 1_000] } } },
        { $set: { taken: { $cond: [{ $lt: [{ $size: '$taken' }, quota] }, more, '$taken'] } } },
      ],
      { upsert: true, returnDocument: 'after' },
    )
    return after?.taken.some((attempt) => attempt.id === id) ?? false
  }

  // One by one: the driver does not retry a write of several documents when its answer is lost.
  const releaseAll = async (counters: readonly Counter[], id: string) => {
    const pulled = counters.map((counter) => attempts.updateOne({ _id: keyOf(counter) }, { $pull: { taken: { id } } }))
    await Promise.all(pulled)
  }

  function recall(counters: readonly Counter[]): void {
    for (const counter of counters) {
      const wait = refusals.secondsUntilFree(keyOf(counter))
      if (wait !== undefined) throw rateLimited(counter.limit, wait)
    }
  }

  async function check(counters: readonly Counter[]): Promise<void> {
    recall(counters)
    const stages = [{ $match: { _id: { $in: counters.map(keyOf) } } }, { $set: { now: '$$NOW' } }]
    const found = await attempts.aggregate<Found>(stages).toArray()
    for (const counter of counters) {
      const own = found.find(({ _id }) => _id === keyOf(counter))
      const wait = secondsUntilFree(counter, own)
      if (wait === undefined) continue
      refusals.note(keyOf(counter), wait)
      throw rateLimited(counter.limit, wait)
    }
  }

  return {
    /** Asks no database: refuses what has been refused several times within the last second. @throws Problem `rate-limited` */
    recall,

    /** Counts nothing. @throws Problem `rate-limited` */
    check,

    /** In all counters, or in none. @returns a function that releases the attempt. @throws Problem `rate-limited`. */
    async acquire(counters: readonly Counter[]): Promise<() => Promise<void>> {
      recall(counters)
      const id = randomUUID()
      const release = () => releaseAll(counters, id)
      const outcomes = await Promise.allSettled(counters.map((counter) => acquireOne(counter, id)))
      const full = counters.find((_, n) => outcomes[n]?.status === 'fulfilled' && !outcomes[n].value)
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (!full && !failed) return release
      await releaseSoon(release, log)
      if (failed || !full) throw failed?.reason
      await check(counters)
      throw rateLimited(full.limit, 1)
    },

    async clear(counters: readonly Counter[]): Promise<void> {
      const keys = counters.map(keyOf)
      await attempts.deleteMany({ _id: { $in: keys } })
      for (const key of keys) refusals.forget(key)
    },
  }
}

export type SlidingWindow = ReturnType<typeof slidingWindow>
