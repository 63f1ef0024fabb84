import type { Collection, Db } from 'mongodb'
import { StartError } from '../start-error.ts'

/**
 * Raise it with a change of the data after which the program before it would misread or damage them. 2: second factors and
 * passkeys. A program that does not know them logs in with the password alone, and leaves them when it deletes an account.
 */
export const programVersion = 2

type VersionDocument = { _id: 'data'; version: number }

const versionsOf = (db: Db): Collection<VersionDocument> => db.collection('versions')

/** @throws StartError for a program that is older than the data */
export async function assertDataVersion(db: Db): Promise<void> {
  const found = await versionsOf(db).findOne({ _id: 'data' })
  if (!found || found.version <= programVersion) return
  throw new StartError(
    `The data of the database ${db.databaseName} has version ${found.version}, and this program is older: it knows version ${programVersion}. Start the newer program, or restore a backup from before its first start.`,
  )
}

/** From now on, programs that know no such data do not start. */
export async function raiseDataVersion(db: Db, version = programVersion): Promise<void> {
  await versionsOf(db).updateOne({ _id: 'data' }, { $max: { version } }, { upsert: true })
}
