import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Collection, Db } from 'mongodb'
import { turnQuery } from '../database/turn-reads.ts'
import { type Limit, rateLimited } from './headers.ts'
import { recentRefusals } from './recent-refusals.ts'
import { releaseSoon } from './release.ts'

type AttemptsDocument = { _id: string; taken: { id: string; at: Date }[]; until: Date }

/** A counter with the database's time, which may differ from ours. */
type Found = Pick<AttemptsDocument, '_id' | 'taken'> & { now: Date }

/** Releases an attempt, and clears these counters with the same message. */
export type ReleaseAttempt = (cleared?: readonly Counter[]) => Promise<void>

/** @property keepSeconds - after the last use; by default the window */
export type Counter = { limit: Limit; subject: string; keepSeconds?: number }

export const slidingWindowIndexes = [{ key: { until: 1 }, expireAfterSeconds: 60 }] as const

const collection = 'attempts'

const keyOf = ({ limit, subject }: Counter) => `${limit.name}:${subject}`

/** By the database's clock, in one atomic update of each counter. @param nowMs - for how long a refusal is remembered */
export function slidingWindow(db: Db, log: FastifyBaseLogger, nowMs?: () => number) {
  const attempts: Collection<AttemptsDocument> = db.collection(collection)
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

  /** Takes a place, and leaves a counter that has none as it is: the reply says how many were changed. */
  function take(counter: Counter, id: string) {
    const { quota, windowSeconds } = counter.limit
    const { keepSeconds = windowSeconds } = counter
    const recent = {
      $filter: {
        input: { $ifNull: ['$taken', []] },
        cond: { $gt: ['$$this.at', { $subtract: ['$$NOW', windowSeconds * 1_000] }] },
      },
    }
    const taken = { $concatArrays: [recent, [{ id, at: '$$NOW' }]] }
    const next = { _id: '$_id', taken, until: { $add: ['$$NOW', keepSeconds * 1_000] } }
    const update = [{ $replaceWith: { $cond: [{ $lt: [{ $size: recent }, quota] }, next, '$$ROOT'] } }]
    return { updateOne: { filter: { _id: keyOf(counter) }, update, upsert: true } }
  }

  /** The driver does not retry it when its answer is lost: releaseSoon() does. */
  async function release(counters: readonly Counter[], id: string, cleared: readonly Counter[] = []): Promise<void> {
    const others = { $filter: { input: '$taken', cond: { $ne: ['$$this.id', id] } } }
    const isCleared = { $in: ['$_id', cleared.map(keyOf)] }
    // Soon deleted by the index.
    const empty = { taken: { $cond: [isCleared, [], others] }, until: { $cond: [isCleared, '$$NOW', '$until'] } }
    const keys = new Set([...counters, ...cleared].map(keyOf))
    await attempts.updateMany({ _id: { $in: [...keys] } }, [{ $set: empty }])
    for (const counter of cleared) refusals.forget(keyOf(counter))
  }

  function recall(counters: readonly Counter[]): void {
    for (const counter of counters) {
      const wait = refusals.secondsUntilFree(keyOf(counter))
      if (wait !== undefined) throw rateLimited(counter.limit, wait)
    }
  }

  async function check(counters: readonly Counter[]): Promise<void> {
    recall(counters)
    const filter = { _id: { $in: counters.map(keyOf) } }
    const projection = { taken: 1, now: '$$NOW' }
    // The collection holds such documents.
    const found = (await turnQuery(db, { collection, filter, projection, count: counters.length })) as Found[]
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
    async acquire(counters: readonly [Counter, ...Counter[]]): Promise<ReleaseAttempt> {
      recall(counters)
      const id = randomUUID()
      const releaseAll: ReleaseAttempt = (cleared) => release(counters, id, cleared)
      const takes = counters.map((counter) => take(counter, id))
      const taken = await attempts.bulkWrite(takes, { ordered: false }).catch(async (error) => {
        await releaseSoon(releaseAll, log)
        throw error
      })
      if (taken.modifiedCount + taken.upsertedCount === counters.length) return releaseAll
      await releaseSoon(releaseAll, log)
      await check(counters)
      // The full one has a place again.
      throw rateLimited(counters[0].limit, 1)
    },

    async clear(counters: readonly Counter[]): Promise<void> {
      const keys = counters.map(keyOf)
      await attempts.deleteMany({ _id: { $in: keys } })
      for (const key of keys) refusals.forget(key)
    },
  }
}

export type SlidingWindow = ReturnType<typeof slidingWindow>
