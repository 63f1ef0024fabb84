import { type Db, MongoClient } from 'mongodb'
import type { Connection } from '../../src/database/connection.ts'

/** Connects with the official driver and the server's guarantees: see src/database/connection.ts. */
export async function connect({ uri, username, password }: Connection): Promise<{ client: MongoClient; db: Db }> {
  const client = new MongoClient(uri, {
    auth: { username, password },
    authSource: 'admin',
    readConcern: { level: 'majority' },
    writeConcern: { w: 'majority', journal: true },
    readPreference: 'primary',
  })
  await client.connect()
  return { client, db: client.db() }
}
