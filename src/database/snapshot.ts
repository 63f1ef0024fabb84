import { type ClientSession, type Db, type MongoClient, ReadConcern } from 'mongodb'

/** Reads at one moment: all that is read with this session is as it was at its first read. */
export async function inSnapshot<T>(
  client: MongoClient,
  database: string,
  work: (db: Db, session: ClientSession) => Promise<T>,
): Promise<T> {
  const session = client.startSession({ snapshot: true })
  // Never shared: the driver writes the snapshot's time into this very read concern, where the next session would find
  // it and read the old snapshot (mongodb 7.9, applySession).
  const db = client.db(database, { readConcern: new ReadConcern('snapshot') })
  try {
    return await work(db, session)
  } finally {
    await session.endSession()
  }
}
