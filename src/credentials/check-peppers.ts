import type { Db } from 'mongodb'
import type { Pepper } from '../secrets/pepper.ts'
import { StartError } from '../start-error.ts'

/**
 * Looks whether passwords were hashed with other peppers than these. Of the index only what belongs to others is read.
 * @throws StartError naming them: nobody whose password needs one could log in.
 */
export async function assertPeppersConfigured(db: Db, peppers: readonly Pepper[]): Promise<void> {
  const known = [null, ...peppers.map(({ id }) => id)]
  const missing = await db
    .collection('credentials')
    .aggregate<{ _id: string; passwords: number }>([
      { $match: { 'password.pepper': { $nin: known } } },
      { $group: { _id: '$password.pepper', passwords: { $sum: 1 } } },
      { $sort: { _id: 1 } },
    ])
    .toArray()
  if (missing.length === 0) return
  const uses = missing.map(({ _id, passwords }) => `${_id} (${passwords} password${passwords === 1 ? '' : 's'})`)
  throw new StartError(
    `PASSWORD_PEPPER lacks what passwords in the database were hashed with: ${uses.join(', ')}. Add it again as id:secret, behind the first, until no password uses it.`,
  )
}
