import { type Collection, type Db, MongoBulkWriteError } from 'mongodb'
import { turnQuery } from '../database/turn-reads.ts'
import { type Limit, limitHeaders, rateLimited } from './headers.ts'
import { recentRefusals } from './recent-refusals.ts'
import type { Counter } from './sliding-window.ts'

type WindowDocument = { _id: string; count: number; until: Date }

export const fixedWindowIndexes = [{ key: { until: 1 }, expireAfterSeconds: 60 }] as const

export type Reservation = { headers: Record<string, string>; release(): Promise<void> }

/** What a process has left of its share, and what was left for all others when it reserved it. */
type Share = { own: number; others: number; extending?: Promise<void> }

const maxShares = 100_000

const currentWindow = ({ windowSeconds }: Limit) => {
  const begin = Math.floor(Date.now() / 1000 / windowSeconds) * windowSeconds
  const until = new Date((begin + windowSeconds) * 1000)
  return { begin, until, seconds: Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1000)) }
}

const collection = 'throttle'
const duplicateKey = 11_000

function windowOf({ limit, subject }: Counter) {
  const window = currentWindow(limit)
  return { ...window, limit, _id: `${limit.name}:${subject}:${window.begin}` }
}

// Never below zero: the driver may repeat it when its answer is lost.
const decrement = [{ $set: { count: { $max: [0, { $subtract: ['$count', 1] }] } } }]

/** Counted in MongoDB, so that all processes share each quota. */
export function fixedWindow(db: Db) {
  const throttle: Collection<WindowDocument> = db.collection(collection)
  const refusals = recentRefusals()
  let shares = new Map<string, Share>()
  let sharesOfWindow = 0

  async function extend(share: Share, _id: string, { quota }: Limit, until: Date): Promise<void> {
    const portion = Math.max(1, Math.floor(quota / 100))
    const count = { $min: [quota, { $add: [{ $ifNull: ['$count', 0] }, portion] }] }
    const before = await throttle.findOneAndUpdate({ _id }, [{ $set: { count, until } }], {
      upsert: true,
      returnDocument: 'before',
    })
    // A quota may have been lowered within the window.
    const left = Math.max(0, quota - (before?.count ?? 0))
    share.own = Math.min(portion, left)
    share.others = left - share.own
  }

  async function acquire(limit: Limit, subject: string): Promise<Reservation> {
    const { _id, until, seconds } = windowOf({ limit, subject })
    const release = async () => void (await throttle.updateOne({ _id }, decrement))
    const counted = await throttle.findOneAndUpdate(
      { _id },
      { $inc: { count: 1 }, $setOnInsert: { until } },
      { upsert: true, returnDocument: 'after' },
    )
    const count = counted?.count ?? 1
    if (count <= limit.quota) return { headers: limitHeaders(limit, limit.quota - count, seconds), release }
    await release()
    throw rateLimited(limit, seconds)
  }

  async function acquireAll(counters: readonly [Counter, ...Counter[]]): Promise<Reservation> {
    const acquired: Reservation[] = []
    const release = async () => void (await Promise.all(acquired.map((reservation) => reservation.release())))
    try {
      for (const { limit, subject } of counters) acquired.push(await acquire(limit, subject))
    } catch (error) {
      await release()
      throw error
    }
    return { headers: acquired[0]?.headers ?? {}, release }
  }

  return {
    /** Counts nothing. One query at most. @throws Problem `rate-limited` */
    async check(...counters: readonly Counter[]): Promise<void> {
      const windows = counters.map(windowOf)
      const remembered = windows.find(({ _id }) => refusals.secondsUntilFree(_id) !== undefined)
      if (remembered) throw rateLimited(remembered.limit, remembered.seconds)
      const filter = { _id: { $in: windows.map(({ _id }) => _id) } }
      // The collection holds such documents.
      const found = (await turnQuery(db, { collection, filter, count: windows.length })) as WindowDocument[]
      const countOf = (id: string) => found.find(({ _id }) => _id === id)?.count ?? 0
      const full = windows.find(({ limit, _id }) => countOf(_id) >= limit.quota)
      if (!full) return
      refusals.note(full._id, full.seconds)
      throw rateLimited(full.limit, full.seconds)
    },

    /** As `acquire`, without headers, with one message. @returns a function that releases all. @throws Problem `rate-limited` */
    async take(...counters: readonly [Counter, ...Counter[]]): Promise<() => Promise<void>> {
      const windows = counters.map(windowOf)
      const takes = windows.map(({ _id, until, limit }) => {
        // A full window does not match, and its id cannot be inserted a second time.
        const filter = { _id, count: { $lt: limit.quota } }
        return { updateOne: { filter, update: { $inc: { count: 1 }, $setOnInsert: { until } }, upsert: true } }
      })
      const release = (taken = windows) =>
        throttle.bulkWrite(taken.map(({ _id }) => ({ updateOne: { filter: { _id }, update: decrement } })))
      try {
        await throttle.bulkWrite(takes)
        return async () => void (await release())
      } catch (error) {
        if (!(error instanceof MongoBulkWriteError && error.code === duplicateKey)) throw error
        const taken = windows.slice(0, error.matchedCount + error.upsertedCount)
        if (taken.length > 0) await release(taken)
        // Full, or another request has just inserted it.
        return (await acquireAll(counters)).release
      }
    },

    /** What one limit refuses counts against no other. The headers are those of the first. @throws Problem `rate-limited` */
    acquire: (...counters: readonly [Counter, ...Counter[]]): Promise<Reservation> => acquireAll(counters),

    /** One query for each hundredth of the quota, of which a process may leave one unused. @throws Problem `rate-limited` */
    async consume(limit: Limit, subject: string): Promise<Record<string, string>> {
      const { begin, until, seconds } = currentWindow(limit)
      if (begin !== sharesOfWindow || shares.size >= maxShares) {
        shares = new Map()
        sharesOfWindow = begin
      }
      const _id = `${limit.name}:${subject}:${begin}`
      const share = shares.get(_id) ?? { own: 0, others: limit.quota }
      shares.set(_id, share)
      while (share.own === 0) {
        if (share.others === 0) throw rateLimited(limit, seconds)
        share.extending ??= extend(share, _id, limit, until).finally(() => delete share.extending)
        await share.extending
      }
      share.own -= 1
      return limitHeaders(limit, share.own + share.others, seconds)
    },
  }
}

export type FixedWindow = ReturnType<typeof fixedWindow>
