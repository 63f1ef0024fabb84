import type { Collection, Db } from 'mongodb'
import { type Limit, limitHeaders, rateLimited } from './headers.ts'

/** What is counted, for whom, in which window of time. */
type WindowDocument = { _id: string; count: number; until: Date }

export const throttleIndexes = [{ key: { until: 1 }, expireAfterSeconds: 60 }] as const

/** A place taken under a limit: what to tell the client, and how to give it back. */
export type Slot = { headers: Record<string, string>; giveBack(): Promise<void> }

/** A process's part of a limit: what it has left, and what was left for all others when it was taken. */
type Share = { own: number; others: number; taking?: Promise<void> }

/** As many are remembered: some 20 MB. Who is forgotten takes another hundredth. */
const mostShares = 100_000

const windowOf = ({ window }: Limit) => {
  const begun = Math.floor(Date.now() / 1000 / window) * window
  const until = new Date((begun + window) * 1000)
  return { begun, until, seconds: Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1000)) }
}

/** Counts what is done in fixed windows of time, in MongoDB, so that all processes count together. */
export function windowLimits(db: Db) {
  const throttle: Collection<WindowDocument> = db.collection('throttle')
  let shares = new Map<string, Share>()
  let sharesOf = 0

  /** Takes a hundredth of a limit at once, or what is left of it. */
  async function enlarge(share: Share, _id: string, { quota }: Limit, until: Date): Promise<void> {
    const portion = Math.max(1, Math.floor(quota / 100))
    const counted = { $min: [quota, { $add: [{ $ifNull: ['$count', 0] }, portion] }] }
    const before = await throttle.findOneAndUpdate({ _id }, [{ $set: { count: counted, until } }], {
      upsert: true,
      returnDocument: 'before',
    })
    // A limit may have been lowered within the window.
    const left = Math.max(0, quota - (before?.count ?? 0))
    share.own = Math.min(portion, left)
    share.others = left - share.own
  }

  return {
    /**
     * Takes one place, which may be given back.
     * @throws Problem `rate-limited` when there is none; that attempt is not counted.
     */
    async take(limit: Limit, who: string): Promise<Slot> {
      const { begun, until, seconds } = windowOf(limit)
      const _id = `${limit.name}:${who}:${begun}`
      // It may be repeated when its answer is lost.
      const fewer = [{ $set: { count: { $max: [0, { $subtract: ['$count', 1] }] } } }]
      const giveBack = async () => void (await throttle.updateOne({ _id }, fewer))
      const counted = await throttle.findOneAndUpdate(
        { _id },
        { $inc: { count: 1 }, $setOnInsert: { until } },
        { upsert: true, returnDocument: 'after' },
      )
      const count = counted?.count ?? 1
      if (count <= limit.quota) return { headers: limitHeaders(limit, limit.quota - count, seconds), giveBack }
      await giveBack()
      throw rateLimited(limit, seconds)
    },

    /**
     * Takes one place of what this process has taken for itself, a hundredth of the limit at a time: for what is done
     * far too often to ask the database each time. Never more than the limit are given; where several processes serve
     * the same client, some hundredths may stay unused in each.
     * @returns what to tell the client.
     * @throws Problem `rate-limited`.
     */
    async spend(limit: Limit, who: string): Promise<Record<string, string>> {
      const { begun, until, seconds } = windowOf(limit)
      if (begun !== sharesOf || shares.size >= mostShares) {
        shares = new Map()
        sharesOf = begun
      }
      const _id = `${limit.name}:${who}:${begun}`
      const share = shares.get(_id) ?? { own: 0, others: limit.quota }
      shares.set(_id, share)
      while (share.own === 0) {
        if (share.others === 0) throw rateLimited(limit, seconds)
        share.taking ??= enlarge(share, _id, limit, until).finally(() => delete share.taking)
        await share.taking
      }
      share.own -= 1
      return limitHeaders(limit, share.own + share.others, seconds)
    },
  }
}

export type WindowLimits = ReturnType<typeof windowLimits>
