import { type ClientSession, type Collection, type Db, UUID } from 'mongodb'
import { StaleError } from '../database/failures.ts'
import { type BatchContext, unassignedWriter } from './batch-context.ts'

/** `raised` is the writer's epoch; in the unassigned row, the newest of all. Adding a slot writes that row, too. */
export type WriterDocument = { _id: number; owner: UUID | null; raised: number; passed: number; at: Date }

const slotIdleMs = 600_000
/** The deleted accounts that a writer remembers are read again once twice as many, and so many more, are known. */
const rereadSlack = 1_000

type Epoch = Pick<BatchContext, 'writer' | 'isDeleted'> & {
  readonly epoch: number
  readonly read?: { accounts: readonly string[]; isComplete: boolean }
}

/** Reads the accounts whose deletion has a later epoch. */
export type ReadDeletedSince = (epoch: number, session: ClientSession) => Promise<string[]>

/**
 * Keeps batches from writing for deleted accounts: a batch updates its writer's row last, and deletion-fence.ts every
 * row, so that they conflict (a fencing token: Kleppmann, "How to do distributed locking", 2016).
 */
export function writerFence(db: Db, readDeletedSince: ReadDeletedSince) {
  const writers: Collection<WriterDocument> = db.collection('writers')
  const owner = new UUID()
  const known = { accounts: new Set<string>(), epoch: 0, rereadAt: rereadSlack }
  const passed = new WeakMap<ClientSession, Epoch>()
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
    // A deletion that is marked now does not see the new row, but conflicts on this one.
    const newest = await writers.findOneAndUpdate(
      { _id: unassignedWriter },
      { $inc: { passed: 1 }, $set: { at }, $setOnInsert: { owner: null, raised: 0 } },
      { session, upsert: true, returnDocument: 'after' },
    )
    const [last] = await writers.find({}, { session }).sort({ _id: -1 }).limit(1).toArray()
    const writer = (last?._id ?? unassignedWriter) + 1
    const added = { _id: writer, owner, raised: newest?.raised ?? 0, passed: 0, at }
    await writers.insertOne(added, { session })
    return added
  }

  async function readContext(session: ClientSession): Promise<Epoch> {
    const { _id: writer, raised: epoch } = await claimSlot(session)
    const isComplete = known.epoch === 0 || known.accounts.size > known.rereadAt
    const accounts = await readDeletedSince(isComplete ? 0 : known.epoch, session)
    const read = new Set(accounts)
    const isDeleted = (account: string) => read.has(account) || (!isComplete && known.accounts.has(account))
    return { writer, epoch, isDeleted, read: { accounts, isComplete } }
  }

  return {
    /** Must come before the batch's first write: it reads which accounts are deleted in its snapshot. */
    enter: async (session: ClientSession): Promise<Epoch> => current ?? readContext(session),

    /** Must be the last write: it locks the row. @throws StaleError when the epoch was raised, or the slot claimed */
    async commitEpoch(entered: Epoch, session: ClientSession): Promise<void> {
      const { writer, epoch } = entered
      const update = { $inc: { passed: 1 }, $set: { at: new Date() } }
      const { matchedCount } = await writers.updateOne({ _id: writer, owner, raised: epoch }, update, { session })
      if (matchedCount === 0) {
        current = undefined
        throw new StaleError('the epoch was raised')
      }
      passed.set(session, entered)
    },

    /** Must follow the commit of the batch's session: what an aborted transaction has read, a failover can undo. */
    adopt(session: ClientSession): void {
      const { writer, epoch, read } = passed.get(session) ?? {}
      if (writer === undefined || epoch === undefined || read === undefined) return
      if (read.isComplete) known.accounts.clear()
      for (const account of read.accounts) known.accounts.add(account)
      if (read.isComplete) known.rereadAt = 2 * known.accounts.size + rereadSlack
      known.epoch = epoch
      current = { writer, epoch, isDeleted: (account) => known.accounts.has(account) }
    },
  }
}

export type WriterFence = ReturnType<typeof writerFence>
