import { randomBytes } from 'node:crypto'
import { Binary, type Collection, type Db } from 'mongodb'

type KeyDocument = { _id: 'throttle'; key: Binary }

/** THROTTLE_KEY, or one that the first server keeps in the database: with a new one, all counts would begin at zero. */
export async function throttleKey(db: Db, given: string | undefined): Promise<string> {
  if (given !== undefined) return given
  const keys: Collection<KeyDocument> = db.collection('keys')
  const found = await keys.findOneAndUpdate(
    { _id: 'throttle' },
    { $setOnInsert: { key: new Binary(randomBytes(32)) } },
    { upsert: true, returnDocument: 'after' },
  )
  if (!found) throw new Error('an upsert returned no document')
  return found.key.toString('base64')
}
