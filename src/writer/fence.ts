import { type ClientSession, type Collection, type Db, UUID } from 'mongodb'
import { StaleError } from '../database/failures.ts'
import { type BatchContext, unassignedWriter } from './batch-context.ts'

/** One writer's slot; its epoch is `raised`. Every transaction that adds a slot writes the unassigned writer's row. */
type WriterDocument = { _id: number; owner: UUID | null; raised: number; passed: number; at: Date }

const slotIdleMs = 600_000

type Epoch = Pick<BatchContext, 'writer' | 'isDeleted'> & { readonly epoch: number }

export type ReadDeletedAccounts = (session: ClientSession) => Promise<ReadonlySet<string>>

/**
 * A batch updates its writer's row last, a deletion updates all writers' rows first: one conflicts and retries, so the
 * deletion finds all that the batch wrote, or the batch finds the account deleted (a fencing token: Kleppmann, "How to do
 * distributed locking", 2016).
 */
export function writerFence(db: Db, readDeletedAccounts: ReadDeletedAccounts) {
  const writers: Collection<WriterDocument> = db.collection('writers')
  const owner = new UUID()
  let current: Epoch | undefined

  async function claimSlot(session: ClientSession): Promise<WriterDocument> {
    const at = new Date()
    const isIdle = { _id: { $gt: unassignedWriter }, at: { $lt: new Date(at.getTime() - slotIdleMs) } }
    const slot = await writers.findOneAndUpdate(
      { $or: [{ owner }, isIdle] },
      { $set: { owner, at }, $inc: { passed: 1 } },
      { session, sort: { _id: 1 }, returnDocument: 'after' },
    )
    if (slot) return slot
    // A deletion that bumps the epoch now does not see the new row, but conflicts on this one.
    await touch(writers, { _id: unassignedWriter }, { passed: 1 }, session, true)
    const [last] = await writers.find({}, { session }).sort({ _id: -1 }).limit(1).toArray()
    const added = { _id: (last?._id ?? unassignedWriter) + 1, owner, raised: 0, passed: 0, at }
    await writers.insertOne(added, { session })
    return added
  }

  async function readContext(session: ClientSession): Promise<Epoch> {
    const { _id: writer, raised: epoch } = await claimSlot(session)
    const deleted = await readDeletedAccounts(session)
    return { writer, epoch, isDeleted: (account) => deleted.has(account) }
  }

  return {
    /** Must come before the batch's first write: it reads which accounts are deleted in its snapshot. */
    enter: async (session: ClientSession): Promise<Epoch> => current ?? readContext(session),

    /**
     * Must be the batch's last write: its row stays locked from then on.
     * @throws StaleError when the epoch was bumped since the batch entered, or another writer has claimed the slot.
     */
    async commitEpoch(entered: Epoch, session: ClientSession): Promise<void> {
      const { writer, epoch } = entered
      const isCurrent = await touch(writers, { _id: writer, owner, raised: epoch }, { passed: 1 }, session)
      // Only after this write: reads of an aborted transaction are not reliable.
      current = isCurrent ? entered : undefined
      if (!isCurrent) throw new StaleError('the epoch was bumped')
    },
  }
}

export type WriterFence = ReturnType<typeof writerFence>

async function touch(
  writers: Collection<WriterDocument>,
  filter: Partial<WriterDocument>,
  increment: { passed: number } | { raised: number },
  session: ClientSession,
  upsert = false,
): Promise<boolean> {
  const update = { $inc: increment, $set: { at: new Date() } }
  const { matchedCount } = await writers.updateOne(filter, update, { session, upsert })
  return matchedCount === 1
}

export const deletionFence = (db: Db) => ({
  /**
   * When the transaction commits, every batch either was committed before it, or sees what it writes. Must be its first
   * write: otherwise later steps conflict with busy writers, and the transaction must retry.
   */
  async bumpEpoch(session: ClientSession): Promise<void> {
    const writers: Collection<WriterDocument> = db.collection('writers')
    await touch(writers, { _id: unassignedWriter }, { raised: 1 }, session, true)
    await writers.updateMany({ _id: { $gt: unassignedWriter } }, { $inc: { raised: 1 } }, { session })
  },
})

export type DeletionFence = ReturnType<typeof deletionFence>
