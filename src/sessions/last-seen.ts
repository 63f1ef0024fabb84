import type { FastifyBaseLogger } from 'fastify'
import type { Collection, Db } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { SessionDocument } from './model.ts'

/** How old `lastSeenAt` may grow before a request writes it again, in milliseconds. */
const seenEvery = 60_000

/**
 * Notes when sessions were last used, in the background: once a minute each, whichever process is asked. In between
 * this process remembers; what the others remember is theirs.
 */
export function lastSeen(db: Db, log: FastifyBaseLogger) {
  const sessions: Collection<SessionDocument> = db.collection('sessions')
  let noted = new Map<string, number>()
  let begun = Date.now()

  return {
    /** A request was made in this session. */
    note(session: string): void {
      const now = Date.now()
      // Two minutes' worth is enough to know what was written within one.
      if (now - begun > 2 * seenEvery) {
        noted = new Map()
        begun = now
      }
      if (now - (noted.get(session) ?? 0) < seenEvery) return
      noted.set(session, now)
      const due = { _id: toUuid(session), lastSeenAt: { $lte: new Date(now - seenEvery) } }
      sessions.updateOne(due, { $set: { lastSeenAt: new Date(now) } }).catch((error) => {
        noted.delete(session)
        log.debug({ err: error }, 'a session’s last use was not noted')
      })
    },

    /** When a session was last used, as far as this process knows: a minute ago at most if it is in use now. */
    at: (session: string): Date => new Date(noted.get(session) ?? 0),
  }
}

export type LastSeen = ReturnType<typeof lastSeen>
