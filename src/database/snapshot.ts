import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientSession, type Db, type MongoClient, ReadConcern } from 'mongodb'

/** How long MongoDB has to end a killed session's reads before their connection is closed. */
const killGraceMs = 500

export type SnapshotOptions = { session: ClientSession; signal: AbortSignal }

/**
 * Every read in this session sees the data as of the first one. An aborted signal kills the session, and the driver's
 * own signal follows 0.5 s later, for a lost reply: it closes the connection, and MongoDB works on until it notices.
 * @throws the signal's reason
 */
export async function inSnapshot<T>(
  client: MongoClient,
  database: string,
  work: (db: Db, session: ClientSession, options: SnapshotOptions) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const session = client.startSession({ snapshot: true })
  // A read concern of its own: the driver writes the snapshot's time into this object, and another session that shared
  // it would read the old snapshot (mongodb 7.9, applySession).
  const db = client.db(database, { readConcern: new ReadConcern('snapshot') })
  const late = new AbortController()
  let killing: Promise<'killed' | 'unknown'> = Promise.resolve('killed')
  const kill = () => {
    const command = client.db(database).command({ killSessions: [session.id] })
    const killed = command.then(() => 'killed' as const).catch(() => 'unknown' as const)
    const timeout = sleep(killGraceMs, 'unknown' as const, { ref: false })
    void timeout.then(() => late.abort(signal?.reason))
    killing = Promise.race([killed, timeout])
  }
  signal?.addEventListener('abort', kill, { once: true })
  try {
    return await work(db, session, { session, signal: late.signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', kill)
    // The driver reuses an ended session: a late kill would end another caller's reads.
    if ((await killing) === 'killed') await session.endSession()
  }
}
