import type { Db } from 'mongodb'
import type { TotpKey } from '../secrets/totp-keys.ts'
import { StartError } from '../start-error.ts'

/** @throws StartError naming the keys that are not configured: the accounts that need them could not use their app */
export async function assertTotpKeysConfigured(db: Db, keys: readonly TotpKey[]): Promise<void> {
  const configured = [null, ...keys.map(({ id }) => id)]
  const missing = await db
    .collection('secondFactors')
    .aggregate<{ _id: string; secrets: number }>([
      { $match: { 'totp.secret.key': { $nin: configured } } },
      { $group: { _id: '$totp.secret.key', secrets: { $sum: 1 } } },
      { $sort: { _id: 1 } },
    ])
    .toArray()
  if (missing.length === 0) return
  const uses = missing.map(({ _id, secrets }) => `${_id} (${secrets} secret${secrets === 1 ? '' : 's'})`)
  throw new StartError(
    `TOTP_KEYS lacks keys that secrets of authenticator apps in the database were encrypted with: ${uses.join(', ')}. Add each again as id:secret, after the first, until no secret uses it.`,
  )
}
