import type { Collection, Db } from 'mongodb'
import { nameHash } from './login-throttle.ts'

type Counter = { _id: string; taken: unknown[] }

/** The counters of failed logins that concern one account, whatever else they count by; for an operator. */
export function accountCounters(db: Db, { id, username }: { id: string; username: string }, secret: string) {
  const attempts: Collection<Counter> = db.collection('attempts')
  const name = nameHash(secret)(username).digest('base64url')
  const filter = { _id: { $regex: `^failed-logins-[a-z-]+:(${name}|${id})(:|$)` } }
  return {
    /** Such as `by account and address`, each with its failures within the window. */
    async list(): Promise<{ limit: string; failures: number }[]> {
      const found = await attempts.find(filter).sort({ _id: 1 }).toArray()
      return found
        .filter(({ taken }) => taken.length > 0)
        .map(({ _id, taken }) => {
          const [limit = ''] = _id.replace('failed-logins-', '').split(':', 1)
          return { limit: limit.replaceAll('-', ' '), failures: taken.length }
        })
    },

    async clear(): Promise<number> {
      const counting = await attempts.countDocuments({ ...filter, 'taken.0': { $exists: true } })
      await attempts.deleteMany(filter)
      return counting
    },
  }
}
