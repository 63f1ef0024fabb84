import type { ClientSession, Db } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { inSnapshot, type SnapshotOptions } from '../database/snapshot.ts'
import type { FollowStore } from '../follows/store.ts'
import type { Position } from '../http/pages.ts'
import type { Ticket } from '../limits/fair-queue.ts'
import { readQueue } from '../limits/read-queue.ts'
import { latestAuthors, maxMergedAuthors, newestRoots } from './newest-roots.ts'

/** Of readers who follow many, in one process: each query costs MongoDB, and the event loop, milliseconds. */
const maxConcurrentReads = 4

export function timelineStore(db: Db, follows: Pick<FollowStore, 'followedBy'>) {
  const queue = readQueue(maxConcurrentReads)

  async function listOfMany(reader: string, position: Position, signal: AbortSignal): Promise<string[]> {
    const authors = [toUuid(reader), ...(await follows.followedBy(reader))]
    const read = async (snapshot: Db, _: ClientSession, options: SnapshotOptions) => {
      // An author who wrote none of these posts cannot have one among the newest, as of the same snapshot.
      const latest = await latestAuthors(snapshot, authors, position, options)
      signal.throwIfAborted()
      return newestRoots(snapshot, latest, position, options)
    }
    return inSnapshot(db.client, db.databaseName, read, signal)
  }

  return {
    /** Ids, newest first, up to one more than the limit. @throws Problem `overloaded`; the reason of the ticket's signal */
    async list(reader: string, position: Position, ticket: Ticket): Promise<string[]> {
      const followed = await follows.followedBy(reader, maxMergedAuthors)
      if (followed.length < maxMergedAuthors) return newestRoots(db, [toUuid(reader), ...followed], position)
      return queue(() => listOfMany(reader, position, ticket.signal), ticket)
    },
  }
}

export type TimelineStore = ReturnType<typeof timelineStore>
