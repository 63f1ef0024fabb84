import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Collection, Db } from 'mongodb'
import { type Limit, rateLimited } from './headers.ts'
import { giveBackSoon } from './release.ts'

/** Those of the last 15 minutes, each until it is given back or too old to count. */
type AttemptsDocument = { _id: string; taken: { id: string; at: Date }[]; until: Date }

/** A counter as it stands, by the database's clock: it may be another than ours. */
type Found = AttemptsDocument & { now: Date }

/** One counter: a limit, and for whom. */
export type Counter = { limit: Limit; who: string }

export const attemptIndexes = [{ key: { until: 1 }, expireAfterSeconds: 60 }] as const

const keyOf = ({ limit, who }: Counter) => `${limit.name}:${who}`

/**
 * Counts attempts in a window that slides: each is kept with its time, so that never more than the limit fall in any 15
 * minutes. In MongoDB and by its clock, for all processes together; a place is taken in one atomic update.
 */
export function attemptLimits(db: Db, log: FastifyBaseLogger) {
  const attempts: Collection<AttemptsDocument> = db.collection('attempts')

  /** When the next place is free, in seconds; undefined when one is now. */
  function waitOf({ limit: { quota, window } }: Counter, found: Found | undefined): number | undefined {
    if (found === undefined) return undefined
    const from = found.now.getTime() - window * 1_000
    const next = found.taken.filter(({ at }) => at.getTime() > from).at(-quota)
    return next && Math.max(1, Math.ceil((next.at.getTime() - from) / 1_000))
  }

  async function takeOne(counter: Counter, id: string): Promise<boolean> {
    const { quota, window } = counter.limit
    const lately = {
      $filter: {
        input: { $ifNull: ['$taken', []] },
        cond: { $gt: ['$$this.at', { $subtract: ['$$NOW', window * 1_000] }] },
      },
    }
    const more = { $concatArrays: ['$taken', [{ id, at: '$$NOW' }]] }
    const after = await attempts.findOneAndUpdate(
      { _id: keyOf(counter) },
      [
        { $set: { taken: lately, until: { $add: ['$$NOW', window * 1_000] } } },
        { $set: { taken: { $cond: [{ $lt: [{ $size: '$taken' }, quota] }, more, '$taken'] } } },
      ],
      { upsert: true, returnDocument: 'after' },
    )
    return after?.taken.some((one) => one.id === id) ?? false
  }

  // One by one: the driver repeats a write of several documents not even once when its answer is lost.
  const giveBack = async (counters: readonly Counter[], id: string) => {
    const pulled = counters.map((counter) => attempts.updateOne({ _id: keyOf(counter) }, { $pull: { taken: { id } } }))
    await Promise.all(pulled)
  }

  /** @throws Problem `rate-limited` when one of them has no place left. */
  async function check(counters: readonly Counter[]): Promise<void> {
    const stages = [{ $match: { _id: { $in: counters.map(keyOf) } } }, { $set: { now: '$$NOW' } }]
    const found = await attempts.aggregate<Found>(stages).toArray()
    for (const counter of counters) {
      const own = found.find(({ _id }) => _id === keyOf(counter))
      const wait = waitOf(counter, own)
      if (wait !== undefined) throw rateLimited(counter.limit, wait)
    }
  }

  return {
    check,

    /**
     * Takes a place in each counter, or in none.
     * @returns how to give them back.
     * @throws Problem `rate-limited`.
     */
    async take(counters: readonly Counter[]): Promise<() => Promise<void>> {
      const id = randomUUID()
      const back = () => giveBack(counters, id)
      const outcomes = await Promise.allSettled(counters.map((counter) => takeOne(counter, id)))
      const full = counters.find((_, n) => outcomes[n]?.status === 'fulfilled' && !outcomes[n].value)
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (!full && !failed) return back
      await giveBackSoon(back, log)
      if (failed || !full) throw failed?.reason
      await check(counters)
      // A place was given back in this very moment.
      throw rateLimited(full.limit, 1)
    },

    /** Forgets all attempts of these counters. */
    async clear(counters: readonly Counter[]): Promise<void> {
      await attempts.deleteMany({ _id: { $in: counters.map(keyOf) } })
    },
  }
}

export type AttemptLimits = ReturnType<typeof attemptLimits>
