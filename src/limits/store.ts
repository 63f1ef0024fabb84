import type { Collection, Db } from 'mongodb'
import { Problem } from '../http/problems.ts'

/** What is counted, for whom, in which window of time. */
type ThrottleDocument = { _id: string; count: number; until: Date }

/** So many in so many seconds. */
export type Limit = { name: string; quota: number; window: number }

export const throttleIndexes = [{ key: { until: 1 }, expireAfterSeconds: 60 }] as const

/** A place taken under a limit: what to tell the client, and how to give it back. */
export type Slot = { headers: Record<string, string>; giveBack(): Promise<void> }

/** Counts attempts in MongoDB, so that all processes count together; each place is one atomic update. */
export function throttleStore(db: Db) {
  const throttle: Collection<ThrottleDocument> = db.collection('throttle')
  return {
    /**
     * Takes a place in the present window.
     * @throws Problem `rate-limited` when there is none; that attempt is not counted.
     */
    async take({ name, quota, window }: Limit, who: string): Promise<Slot> {
      const begun = Math.floor(Date.now() / 1000 / window) * window
      const _id = `${name}:${who}:${begun}`
      const until = new Date((begun + window) * 1000)
      const seconds = Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1000))
      const giveBack = async () => void (await throttle.updateOne({ _id }, { $inc: { count: -1 } }))
      const counted = await throttle.findOneAndUpdate(
        { _id },
        { $inc: { count: 1 }, $setOnInsert: { until } },
        { upsert: true, returnDocument: 'after' },
      )
      const count = counted?.count ?? 1
      const headers = {
        // draft-ietf-httpapi-ratelimit-headers-10
        'ratelimit-policy': `"${name}";q=${quota};w=${window}`,
        ratelimit: `"${name}";r=${Math.max(0, quota - count)};t=${seconds}`,
      }
      if (count <= quota) return { headers, giveBack }
      await giveBack()
      throw new Problem('rate-limited', `At most ${quota} ${name} in ${window / 60} minutes: try again later.`, {
        headers: { ...headers, 'retry-after': String(seconds) },
      })
    },
  }
}

export type ThrottleStore = ReturnType<typeof throttleStore>
