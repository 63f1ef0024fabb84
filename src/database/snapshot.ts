import { type ClientSession, type Db, type MongoClient, ReadConcern } from 'mongodb'

/**
 * Runs reads against one snapshot: every read in this session sees the data as of the first one. An aborted signal ends
 * them on the server, by killing the session: the driver's own `signal` closes the connection, whose replacement has to
 * log in, and which MongoDB notices only some time later.
 * @throws the signal's reason
 */
export async function inSnapshot<T>(
  client: MongoClient,
  database: string,
  work: (db: Db, session: ClientSession) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const session = client.startSession({ snapshot: true })
  // A read concern of its own: the driver writes the snapshot's time into this object, and another session that shared
  // it would read the old snapshot (mongodb 7.9, applySession).
  const db = client.db(database, { readConcern: new ReadConcern('snapshot') })
  let killing: Promise<unknown> | undefined
  const kill = () => {
    killing = client
      .db(database)
      .command({ killSessions: [session.id] })
      .catch(() => undefined)
  }
  signal?.addEventListener('abort', kill, { once: true })
  try {
    return await work(db, session)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', kill)
    // The driver reuses the session: a late kill would end another caller's reads.
    await killing
    await session.endSession()
  }
}
