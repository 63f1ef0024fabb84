import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { clockSkew, longestLife } from './access-token.ts'

/** A session that has ended before its time; or, with `sentAt`, the sign of life of a process: see revocation-feed.ts. */
export type RevocationDocument = { _id: UUID; until: Date; sentAt?: number }

export const revocationIndexes = [{ key: { until: 1 }, expireAfterSeconds: 0 }] as const

/** How long a session that this process is ending is looked up, in milliseconds: no transaction that we answer takes longer. */
const endingFor = 10_000
/** How old what we know may be, in milliseconds. A revoked session is dead everywhere within a second. */
const oldestKnowledge = 800

/**
 * Which sessions have ended while their access tokens go on: at most 900 seconds of them, which bounds the memory.
 * Each is written in the transaction that ends the session, and told to every process by a change stream.
 */
export function revocationCache(db: Db) {
  const collection: Collection<RevocationDocument> = db.collection('revocations')
  /** By session, when it may be forgotten (as Date.now); in about that order. */
  const ended = new Map<string, number>()
  /** By session, until when it is looked up (as performance.now). */
  const ending = new Map<string, number>()
  let knownUpTo = Number.NEGATIVE_INFINITY

  return {
    /**
     * Ends sessions for every process, when the transaction commits. Here they are looked up from now on: whether the
     * commit happened may be learnt late, and nobody who was told that they ended may find them alive.
     */
    async revoke(sessions: readonly UUID[], transaction: ClientSession): Promise<void> {
      if (sessions.length === 0) return
      for (const session of sessions) ending.set(session.toString(), performance.now() + endingFor)
      const until = new Date(Date.now() + (longestLife + clockSkew) * 1_000)
      const documents = sessions.map((_id) => ({ _id, until }))
      await collection.insertMany(documents, { session: transaction })
    },

    /** What this process knows of a session: undefined when the database must be asked. */
    isLive(session: string): boolean | undefined {
      if (ended.has(session)) return false
      if (ending.has(session) || performance.now() - knownUpTo > oldestKnowledge) return undefined
      return true
    },

    /** Takes in that a session has ended. */
    add(session: string, until: Date): void {
      ended.set(session, until.getTime())
    },

    /** @param sentAt - by `performance.now()`: all that was written before it has been learnt. */
    markCurrentAsOf(sentAt: number): void {
      knownUpTo = Math.max(knownUpTo, sentAt)
    },

    /** From now on what we know may miss something. */
    markStale(): void {
      knownUpTo = Number.NEGATIVE_INFINITY
    },

    /** Forgets what no token can name any more. */
    evictExpired(): void {
      forgetBefore(ended, Date.now())
      forgetBefore(ending, performance.now())
    },

    /** How many are remembered. */
    get size(): number {
      return ended.size + ending.size
    },
  }
}

/** The oldest come first, or nearly: one that is kept a little longer does no harm. */
function forgetBefore(map: Map<string, number>, time: number): void {
  for (const [key, until] of map) {
    if (until > time) return
    map.delete(key)
  }
}

export type RevocationCache = ReturnType<typeof revocationCache>
