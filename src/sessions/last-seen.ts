import type { FastifyBaseLogger } from 'fastify'
import type { Collection, Db } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { SessionDocument } from './model.ts'

const writeIntervalMs = 60_000

/** Writes lastSeenAt in the background, at most once a minute for each session: the query skips what others wrote. */
export function lastSeen(db: Db, log: FastifyBaseLogger) {
  const sessions: Collection<SessionDocument> = db.collection('sessions')
  let notedAt = new Map<string, number>()
  let clearedAt = Date.now()

  return {
    note(session: string): void {
      const now = Date.now()
      // Bounds the memory; a session that is forgotten too early costs one query that matches nothing.
      if (now - clearedAt > 2 * writeIntervalMs) {
        notedAt = new Map()
        clearedAt = now
      }
      if (now - (notedAt.get(session) ?? 0) < writeIntervalMs) return
      notedAt.set(session, now)
      const due = { _id: toUuid(session), lastSeenAt: { $lte: new Date(now - writeIntervalMs) } }
      sessions.updateOne(due, { $set: { lastSeenAt: new Date(now) } }).catch((error) => {
        notedAt.delete(session)
        log.debug({ err: error }, 'lastSeenAt was not written')
      })
    },

    /** When this process last saw the session, to the minute; 1970 if it has not. */
    at: (session: string): Date => new Date(notedAt.get(session) ?? 0),
  }
}

export type LastSeen = ReturnType<typeof lastSeen>
