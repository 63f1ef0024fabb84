import type { Db } from 'mongodb'
import type { Pepper } from '../secrets/pepper.ts'
import { StartError } from '../start-error.ts'

/** @throws StartError naming the peppers that are not configured: the accounts that need them could not log in */
export async function assertPeppersConfigured(db: Db, peppers: readonly Pepper[]): Promise<void> {
  const configured = [null, ...peppers.map(({ id }) => id)]
  const missing = await db
    .collection('credentials')
    .aggregate<{ _id: string; passwords: number }>([
      { $match: { 'password.pepper': { $nin: configured } } },
      { $group: { _id: '$password.pepper', passwords: { $sum: 1 } } },
      { $sort: { _id: 1 } },
    ])
    .toArray()
  if (missing.length === 0) return
  const uses = missing.map(({ _id, passwords }) => `${_id} (${passwords} password${passwords === 1 ? '' : 's'})`)
  throw new StartError(
    `PASSWORD_PEPPER lacks peppers that passwords in the database were hashed with: ${uses.join(', ')}. Add each again as id:secret, after the first, until no password uses it.`,
  )
}
