import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { boundedLoader } from '../database/bounded-loader.ts'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import { clockSkewSeconds, maxAccessTokenSeconds } from './access-token.ts'

/** The revocation of a session; or, with `sentAt`, a process's heartbeat: see revocation-feed.ts. */
export type RevocationDocument = { _id: UUID; until: Date; sentAt?: number }

export const revocationIndexes = [{ key: { until: 1 }, expireAfterSeconds: 0 }] as const

/** As long as an access token can be valid. */
const keptMs = (maxAccessTokenSeconds + clockSkewSeconds) * 1_000
/** How long the database decides about a session that this process is ending: longer than any transaction takes. */
const endingMs = 10_000
/** Maximum age of the cache: a session that ended in one process is refused by all processes within a second. */
const maxStalenessMs = 800
/** Several queries, so that one whose answer is lost delays few; in all as long as a request waits: http/deadline.ts. */
const lookUps = { maxQueries: 4, queryTimeoutMs: 3_000, maxWaitMs: 2_000 }

/** Sessions that ended while access tokens for them are valid: those of the last 960 s, which bounds the memory. */
export function revocationCache(db: Db) {
  const collection: Collection<RevocationDocument> = db.collection('revocations')
  /** By session, in about the order of their expiry: `until` by Date.now(), `keptUntil` by performance.now(). */
  const revoked = new Map<string, { until: number; keptUntil: number }>()
  const endingUntil = new Map<string, number>()
  let currentAsOf = Number.NEGATIVE_INFINITY

  const isRevoked = boundedLoader<true>(async (ids) => {
    const found = await collection
      .find({ _id: { $in: ids.map(toUuid) } }, { projection: { _id: 1 }, ...singleBatch(ids.length) })
      .maxTimeMS(lookUps.queryTimeoutMs)
      .toArray()
    return new Map(found.map(({ _id }) => [_id.toString(), true]))
  }, lookUps)

  return {
    /** From now on this process queries the database for these sessions, because the change stream may lag. */
    async revoke(sessions: readonly UUID[], transaction: ClientSession): Promise<void> {
      if (sessions.length === 0) return
      for (const session of sessions) endingUntil.set(session.toString(), performance.now() + endingMs)
      const until = new Date(Date.now() + keptMs)
      const documents = sessions.map((_id) => ({ _id, until }))
      await collection.insertMany(documents, { session: transaction })
    },

    /** Whether a session is live; undefined when the database must be queried. */
    isLive(session: string): boolean | undefined {
      if (revoked.has(session)) return false
      if (endingUntil.has(session) || performance.now() - currentAsOf > maxStalenessMs) return undefined
      return true
    },

    /** From the database. A valid access token expires when its session would: an earlier end is a revocation. */
    async readIsLive(session: string): Promise<boolean> {
      return !(await isRevoked(session))
    },

    add(session: string, until: Date): void {
      if (!revoked.has(session)) revoked.set(session, { until: until.getTime(), keptUntil: performance.now() + keptMs })
    },

    /** @param sentAt - by `performance.now()`: every revocation committed before this time has been added. */
    markCurrentAsOf(sentAt: number): void {
      currentAsOf = Math.max(currentAsOf, sentAt)
    },

    /** How old this process's knowledge is, in seconds. Above 0.8 the database is queried for each session. */
    lagSeconds: () => (performance.now() - currentAsOf) / 1_000,

    /** From now on revocations may be missing, so the database is queried. */
    markStale(): void {
      currentAsOf = Number.NEGATIVE_INFINITY
    },

    /** By both clocks: while that of the machine is ahead, or once it is set back, tokens count that seem to have expired. */
    evictExpired(): void {
      const [time, monotonicTime] = [Date.now(), performance.now()]
      evictWhile(revoked, ({ until, keptUntil }) => until <= time && keptUntil <= monotonicTime)
      evictWhile(endingUntil, (until) => until <= monotonicTime)
    },

    get size(): number {
      return revoked.size + endingUntil.size
    },
  }
}

/** The entries are nearly in order of their expiry: one out of order is kept a little longer, which does no harm. */
function evictWhile<Entry>(map: Map<string, Entry>, isExpired: (entry: Entry) => boolean): void {
  for (const [key, entry] of map) {
    if (!isExpired(entry)) return
    map.delete(key)
  }
}

export type RevocationCache = ReturnType<typeof revocationCache>
