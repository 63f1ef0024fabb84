import { type ClientSession, type Db, type MongoClient, ReadConcern } from 'mongodb'

/** Runs reads against one snapshot: every read in this session sees the data as of the first one. */
export async function inSnapshot<T>(
  client: MongoClient,
  database: string,
  work: (db: Db, session: ClientSession) => Promise<T>,
): Promise<T> {
  const session = client.startSession({ snapshot: true })
  // A read concern of its own: the driver writes the snapshot's time into this object, and another session that shared
  // it would read the old snapshot (mongodb 7.9, applySession).
  const db = client.db(database, { readConcern: new ReadConcern('snapshot') })
  try {
    return await work(db, session)
  } finally {
    await session.endSession()
  }
}
