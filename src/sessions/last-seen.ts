import type { FastifyBaseLogger } from 'fastify'
import type { Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import { lifetimesMs } from './model.ts'

/** `_id` is the session. Apart from the sessions, because every service writes it. */
type LastSeenDocument = { _id: UUID; at: Date }

const collectionIn = (db: Db): Collection<LastSeenDocument> => db.collection('lastSeen')

const writeIntervalMs = 60_000
const daySeconds = 86_400

/** A session that was not seen for its idle life has ended: the day more is for clocks that differ. */
export const lastSeenIndexes = [{ key: { at: 1 }, expireAfterSeconds: lifetimesMs.idle / 1_000 + daySeconds }] as const

/** Writes when a session was last seen, in the background and at most once a minute for each session. */
export function lastSeen(db: Db, log: FastifyBaseLogger) {
  const collection = collectionIn(db)
  let notedAt = new Map<string, number>()
  let clearedAt = Date.now()

  return {
    note(session: string): void {
      const now = Date.now()
      // Bounds the memory; a session that is forgotten too early costs one query that changes nothing.
      if (now - clearedAt > 2 * writeIntervalMs) {
        notedAt = new Map()
        clearedAt = now
      }
      if (now - (notedAt.get(session) ?? 0) < writeIntervalMs) return
      notedAt.set(session, now)
      // Never back in time, and nothing while the time that another process wrote is recent.
      const isDue = { $lte: ['$at', new Date(now - writeIntervalMs)] }
      const at = { $cond: [isDue, new Date(now), '$at'] }
      collection.updateOne({ _id: toUuid(session) }, [{ $set: { at } }], { upsert: true }).catch((error) => {
        notedAt.delete(session)
        log.debug({ err: error }, 'lastSeen was not written')
      })
    },

    /** When this process last saw the session, to the minute; 1970 if it has not. */
    at: (session: string): Date => new Date(notedAt.get(session) ?? 0),
  }
}

export type LastSeen = ReturnType<typeof lastSeen>

/** When any process last saw these sessions, to the minute. A session that none has seen is missing. */
export async function readLastSeen(db: Db, sessions: readonly UUID[]): Promise<ReadonlyMap<string, Date>> {
  if (sessions.length === 0) return new Map()
  const found = await collectionIn(db)
    .find({ _id: { $in: [...sessions] } }, singleBatch(sessions.length))
    .toArray()
  return new Map(found.map(({ _id, at }) => [_id.toString(), at]))
}
