import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { boundedLoader } from '../database/bounded-loader.ts'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import { clockSkewSeconds, maxAccessTokenSeconds } from './access-token.ts'

/** The revocation of a session; or, with `sentAt`, a process's heartbeat: see revocation-feed.ts. */
export type RevocationDocument = { _id: UUID; until: Date; sentAt?: number }

export const revocationIndexes = [{ key: { until: 1 }, expireAfterSeconds: 0 }] as const

/** How long the database decides about a session that this process is ending: longer than any transaction takes. */
const endingMs = 10_000
/** Maximum age of the cache: a session that ended in one process is refused by all processes within a second. */
const maxStalenessMs = 800
/** Several queries, so that one whose answer is lost delays few; in all as long as a request waits: http/deadline.ts. */
const lookUps = { maxQueries: 4, queryTimeoutMs: 3_000, maxWaitMs: 2_000 }

/** Sessions that ended while access tokens for them are valid: those of the last 960 s, which bounds the memory. */
export function revocationCache(db: Db) {
  const collection: Collection<RevocationDocument> = db.collection('revocations')
  /** By session, the expiry of the revocation (as Date.now), in about that order. */
  const revokedUntil = new Map<string, number>()
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
      const until = new Date(Date.now() + (maxAccessTokenSeconds + clockSkewSeconds) * 1_000)
      const documents = sessions.map((_id) => ({ _id, until }))
      await collection.insertMany(documents, { session: transaction })
    },

    /** Whether a session is live; undefined when the database must be queried. */
    isLive(session: string): boolean | undefined {
      if (revokedUntil.has(session)) return false
      if (endingUntil.has(session) || performance.now() - currentAsOf > maxStalenessMs) return undefined
      return true
    },

    /** From the database. A valid access token expires when its session would: an earlier end is a revocation. */
    async readIsLive(session: string): Promise<boolean> {
      return !(await isRevoked(session))
    },

    add(session: string, until: Date): void {
      revokedUntil.set(session, until.getTime())
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

    evictExpired(): void {
      deleteBefore(revokedUntil, Date.now())
      deleteBefore(endingUntil, performance.now())
    },

    get size(): number {
      return revokedUntil.size + endingUntil.size
    },
  }
}

/** The entries are nearly in order of their expiry: one out of order is kept a little longer, which does no harm. */
function deleteBefore(map: Map<string, number>, time: number): void {
  for (const [key, until] of map) {
    if (until > time) return
    map.delete(key)
  }
}

export type RevocationCache = ReturnType<typeof revocationCache>
