import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { type AggregationCursor, type Collection, type Db, UUID } from 'mongodb'
import { backOffMs } from '../back-off.ts'
import type { NoteRefusal } from '../database/access-refusals.ts'
import type { RevocationCache, RevocationDocument } from './revocation-cache.ts'

const heartbeatIntervalMs = 300
/** Without requests for this long, heartbeats stop: an idle server must not write to its disk. */
const idleAfterMs = 300_000
/** A slow or lost one must not delay the next. More would be older than the cache may be. */
const maxHeartbeatsInFlight = 4
const heartbeatTtlMs = 60_000
const stableAfterMs = 60_000
/** Less than the socket time-out of signals: see database/connection.ts. */
const maxAwaitTimeMS = 500
/** As in stream/change-feed.ts: all that MongoDB would send at once keeps the event loop for long. */
const batchSize = 1_000

/** The part of a change event that the feed reads: https://www.mongodb.com/docs/manual/reference/change-events/ */
type Change = { operationType: string; fullDocument: RevocationDocument }

/**
 * Fills the revocation cache from a change stream, which MongoDB sends in commit order and only after a majority commit.
 * A stream that hangs looks like one without changes, so each process writes heartbeats with the time of its own clock:
 * when it reads its heartbeat back, it has read everything that was committed before the heartbeat was sent.
 */
export function revocationFeed(db: Db, revocations: RevocationCache, log: FastifyBaseLogger, noteRefusal: NoteRefusal) {
  const collection: Collection<RevocationDocument> = db.collection('revocations')
  const self = new UUID()
  const closing = new AbortController()
  let stream: AggregationCursor<Change> | undefined
  let reopen = () => {}
  let usedAt = performance.now()
  let heartbeatsInFlight = 0

  const relevant = {
    $match: {
      operationType: { $in: ['insert', 'replace'] },
      $or: [{ 'fullDocument.sentAt': { $exists: false } }, { 'documentKey._id': self }],
    },
  }

  async function sendHeartbeat(): Promise<void> {
    revocations.evictExpired()
    const isIdle = performance.now() - usedAt > idleAfterMs
    if (isIdle || heartbeatsInFlight === maxHeartbeatsInFlight) return
    heartbeatsInFlight += 1
    const heartbeat = { sentAt: performance.now(), until: new Date(Date.now() + heartbeatTtlMs) }
    // After a failure no heartbeat arrives, so the cache becomes stale.
    await collection.replaceOne({ _id: self }, heartbeat, { upsert: true }).catch(noteRefusal)
    heartbeatsInFlight -= 1
  }

  async function load(): Promise<void> {
    // Not only those that have not expired by this machine's clock, which may be wrong. MongoDB deletes those that have.
    const found = collection
      .find({ sentAt: { $exists: false } })
      .sort({ until: 1 })
      .batchSize(batchSize)
    for await (const { _id, until } of found) revocations.add(_id.toString(), until)
  }

  async function listen(): Promise<void> {
    // Not `watch`, which resumes a broken stream without a pause, for ever.
    stream = collection.aggregate<Change>([{ $changeStream: {} }, relevant], { maxAwaitTimeMS, batchSize })
    let loaded = false
    for await (const { operationType, fullDocument } of stream) {
      if (operationType === 'invalidate') return
      const { _id, until, sentAt } = fullDocument
      if (sentAt === undefined) revocations.add(_id.toString(), until)
      else {
        // Not before the first heartbeat: only now has the stream certainly begun, and misses nothing after the load.
        if (!loaded) await load()
        loaded = true
        revocations.markCurrentAsOf(sentAt)
      }
    }
  }

  async function follow(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; failures += 1) {
      const startedAt = performance.now()
      const reopening = Promise.withResolvers<'reopen'>()
      reopen = () => reopening.resolve('reopen')
      const end = await Promise.race([listen().catch((error: Error) => error), reopening.promise])
      revocations.markStale()
      if (end instanceof Error && !closing.signal.aborted && !noteRefusal(end)) {
        log.warn({ reason: String(end) }, 'revocation stream failed, reopening')
      }
      // Without waiting: MongoDB may take a second to end a pending getMore, even after its cursor is closed.
      stream?.close().catch(() => undefined)
      if (performance.now() - startedAt > stableAfterMs) failures = 0
      const pause = sleep(backOffMs(failures), undefined, { signal: closing.signal }).catch(() => undefined)
      if ((await Promise.race([pause, reopening.promise])) === 'reopen') failures = 0
    }
  }

  const timer = setInterval(() => void sendHeartbeat(), heartbeatIntervalMs).unref()
  void sendHeartbeat()
  void follow()
  return {
    /** Records a request with a session: heartbeats continue, or begin again. */
    noteUse(): void {
      usedAt = performance.now()
    },
    /** Opens another stream at once, on the database's current client; the database is queried until it is current. */
    reopen: () => reopen(),
    /** Does not wait for the stream to end. */
    close(): void {
      clearInterval(timer)
      closing.abort()
      stream?.close().catch(() => undefined)
    },
  }
}

export type RevocationFeed = ReturnType<typeof revocationFeed>
