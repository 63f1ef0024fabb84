import type { ClientSession, Collection, Db } from 'mongodb'
import type { Transact } from '../database/transaction.ts'
import { unassignedWriter } from './batch-context.ts'
import type { WriterDocument } from './fence.ts'

type Deletions<Id> = {
  withoutEpoch(session: ClientSession): Promise<Id[]>
  setEpoch(deletions: readonly Id[], epoch: number, session: ClientSession): Promise<void>
}

/** The transaction writes a row that only other deletions and new writers write. */
const markTimeoutMs = 1_000
/** A row can be locked by the batch of a writer that has crashed. */
const raiseTimeoutMs = 1_000

/** No step keeps a row locked that a batch needs: a process that exits here delays only the deletion of content. */
export function deletionFence<Id>(db: Db, transact: Transact, deletions: Deletions<Id>) {
  const writers: Collection<WriterDocument> = db.collection('writers')
  let running: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined

  /** Epochs are in the order of commits: a writer that knows one knows all before it. */
  async function mark(session: ClientSession): Promise<number> {
    const marked = await deletions.withoutEpoch(session)
    const row = { _id: unassignedWriter }
    if (marked.length === 0) return (await writers.findOne(row, { session }))?.raised ?? 0
    const counter = await writers.findOneAndUpdate(
      row,
      { $inc: { raised: 1 }, $set: { at: new Date() }, $setOnInsert: { owner: null, passed: 0 } },
      { session, upsert: true, returnDocument: 'after' },
    )
    const epoch = counter?.raised ?? 1
    await deletions.setEpoch(marked, epoch, session)
    return epoch
  }

  async function raiseOnce(): Promise<void> {
    const raised = await transact(mark, performance.now() + markTimeoutMs)
    // Not in a transaction: MongoDB waits for a row that a batch has locked, instead of failing.
    const behind = { _id: { $gt: unassignedWriter }, raised: { $lt: raised } }
    await writers.updateMany(behind, { $set: { raised } }, { maxTimeMS: raiseTimeoutMs })
  }

  return {
    /** From then on every batch sees the deletions committed before the call. Concurrent calls share the next run. */
    raise(): Promise<void> {
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined
          running = raiseOnce()
          return running
        })
      return next
    },
  }
}

export type DeletionFence = ReturnType<typeof deletionFence>
