import type { Collection, Db } from 'mongodb'
import { accountPrefixes } from './login-counters.ts'

/**
 * Forgets the failed logins of one account, whatever the address and device: for the operator's commands.
 * @param secret - of `throttleKey()`
 */
export async function clearFailedLogins(
  db: Db,
  secret: string,
  account: { username: string; account: string },
): Promise<void> {
  const attempts: Collection<{ _id: string }> = db.collection('attempts')
  // Ranges, not patterns: they use the index.
  for (const prefix of accountPrefixes(secret, account)) {
    await attempts.deleteMany({ _id: { $gte: prefix, $lt: `${prefix}\uffff` } })
  }
}
