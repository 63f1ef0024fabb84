import { type ClientSession, type Collection, type Db, UUID } from 'mongodb'
import type { RemovedAccount } from '../accounts/tombstone.ts'
import { StaleError } from '../database/failures.ts'
import { toUuid } from '../database/ids.ts'

/** A place for one writer at a time. Number 0 is nobody's: whoever adds a place writes to it. */
type WriterDocument = { _id: number; owner: UUID | null; raised: number; passed: number; at: Date }

const nobodys = 0
/** A place that was not used for so long is free for another writer, in milliseconds. */
const freeAfter = 600_000

/** What a batch knows of its writer, and of the accounts that are no more. */
export type Inside = {
  /** The writer's number: no other has it at the same time. A small one, which comes again. */
  readonly writer: number
  isGone(account: string): boolean
}

/** Knows nobody to be gone: for a batch that is written by itself. */
export const unfenced: Inside = { writer: nobodys, isGone: () => false }

/** The same, as of how often the fence was raised. */
type Entered = Inside & { readonly raised: number }

/**
 * What keeps a writer from writing for an account that was removed meanwhile, at the cost of one update a batch: each
 * batch writes its writer's row at its end, and whoever removes an account writes the rows of all. So of the two one
 * conflicts, and is run again after the other's commit: the removal then finds all that the batch has written, or the
 * batch that the account is gone (a fencing token in the sense of Kleppmann, "How to do distributed locking", 2016).
 */
export function writerFence(db: Db) {
  const writers: Collection<WriterDocument> = db.collection('writers')
  const removed: Collection<RemovedAccount> = db.collection('removedAccounts')
  const owner = new UUID()
  let known: Entered | undefined

  /** Takes the first place that is free, or one more; or knows its own again. */
  async function takePlace(session: ClientSession): Promise<WriterDocument> {
    const at = new Date()
    const isFree = { _id: { $gt: nobodys }, at: { $lt: new Date(at.getTime() - freeAfter) } }
    const place = await writers.findOneAndUpdate(
      { $or: [{ owner }, isFree] },
      { $set: { owner, at }, $inc: { passed: 1 } },
      { session, sort: { _id: 1 }, returnDocument: 'after' },
    )
    if (place) return place
    // Who raises the fence at this moment does not see the new row, but writes this one.
    await touch(writers, { _id: nobodys }, { passed: 1 }, session, true)
    const [last] = await writers.find({}, { session }).sort({ _id: -1 }).limit(1).toArray()
    const added = { _id: (last?._id ?? nobodys) + 1, owner, raised: 0, passed: 0, at }
    await writers.insertOne(added, { session })
    return added
  }

  async function lookAround(session: ClientSession): Promise<Entered> {
    const { _id: writer, raised } = await takePlace(session)
    const marks = await removed.find({}, { session, projection: { _id: 1 } }).toArray()
    const gone = new Set(marks.map(({ _id }) => _id.toString()))
    return { writer, raised, isGone: (account) => gone.has(account) }
  }

  return {
    /** Must be asked before anything is written in a batch: whoever is gone in its snapshot is known then. */
    enter: async (session: ClientSession): Promise<Entered> => known ?? lookAround(session),

    /**
     * Must be the last that a batch writes: its row is locked from then on.
     * @throws StaleError when the fence was raised since it was entered, or somebody else has its place.
     */
    async pass(entered: Entered, session: ClientSession): Promise<void> {
      const { writer, raised } = entered
      const isOurs = await touch(writers, { _id: writer, owner, raised }, { passed: 1 }, session)
      // Not before: what was seen in a transaction that came to nothing need not be so.
      known = isOurs ? entered : undefined
      if (!isOurs) throw new StaleError('the fence was raised')
    },
  }
}

/** The update that every other of the same row conflicts with. */
async function touch(
  writers: Collection<WriterDocument>,
  filter: Partial<WriterDocument>,
  by: { passed: number } | { raised: number },
  session: ClientSession,
  upsert = false,
): Promise<boolean> {
  const { matchedCount } = await writers.updateOne(filter, { $inc: by, $set: { at: new Date() } }, { session, upsert })
  return matchedCount === 1
}

/** For those who remove accounts. */
export const fenceAround = (db: Db) => ({
  /**
   * Keeps all writers from writing for an account: when the transaction commits, all that it has written before is
   * there, and nothing comes after it. Must be the first that the transaction writes: who asks for the rows late finds
   * them locked by a busy writer, and has to begin anew.
   */
  async raise(account: string, session: ClientSession): Promise<void> {
    const writers: Collection<WriterDocument> = db.collection('writers')
    const removed: Collection<RemovedAccount> = db.collection('removedAccounts')
    await touch(writers, { _id: nobodys }, { raised: 1 }, session, true)
    await writers.updateMany({ _id: { $gt: nobodys } }, { $inc: { raised: 1 } }, { session })
    const mark = { $setOnInsert: { at: new Date() } }
    await removed.updateOne({ _id: toUuid(account) }, mark, { session, upsert: true })
  },
})

export type Fence = ReturnType<typeof fenceAround>
