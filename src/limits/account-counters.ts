import type { Collection, Db } from 'mongodb'
import { accountPrefixes } from './login-counters.ts'

type Counter = { _id: string; taken: unknown[] }

/**
 * The counters of failed logins and wrong codes that concern one account, whatever the address and device.
 * @param secret - of `throttleKey()`
 */
export function accountCounters(db: Db, { id, username }: { id: string; username: string }, secret: string) {
  const attempts: Collection<Counter> = db.collection('attempts')
  // Ranges, not patterns: they use the index.
  const ranges = accountPrefixes(secret, { username, account: id }).map((prefix) => ({
    _id: { $gte: prefix, $lt: `${prefix}\uffff` },
  }))
  const counters = {
    /** Such as `by account and address`, each with its failures. */
    async list(): Promise<{ limit: string; failures: number }[]> {
      const found = (await Promise.all(ranges.map((range) => attempts.find(range).toArray()))).flat()
      return found
        .filter(({ taken }) => taken.length > 0)
        .map(({ _id, taken }) => {
          const [limit = ''] = _id.replace('failed-logins-', '').split(':', 1)
          return { limit: limit.replaceAll('-', ' '), failures: taken.length }
        })
    },

    async clear(): Promise<number> {
      const counting = (await counters.list()).length
      for (const range of ranges) await attempts.deleteMany(range)
      return counting
    },

    /** Not the wrong codes: who reads the owner's mail must not get more of them. */
    async clearFailedLogins(): Promise<void> {
      for (const range of ranges.filter(({ _id }) => _id.$gte.startsWith('failed-logins')))
        await attempts.deleteMany(range)
    },
  }
  return counters
}

export type AccountCounters = ReturnType<typeof accountCounters>
