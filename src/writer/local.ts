import type { ClientSession, Db } from 'mongodb'
import type { Transact } from '../database/transaction.ts'
import { type ReadDeletedSince, writerFence } from './fence.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'
import { failureReasonOf, observeBatches, unobserved, type WriterObserver } from './observer.ts'
import { type AnyWriteOperation, applyOperations, markRetry, operationNamed, type Submission } from './operation.ts'
import { type Progress, trackProgress } from './progress.ts'

export function commitQueue(
  db: Db,
  transact: Transact,
  operations: readonly AnyWriteOperation[],
  readDeletedSince: ReadDeletedSince,
  observer: WriterObserver = unobserved,
): GroupCommit<Submission, unknown> & { progress: Progress } {
  const fence = writerFence(db, readDeletedSince)
  const transactBatch: Transact = async (work, ...limits) => {
    let committed: ClientSession | undefined
    const results = await transact(
      (session) => {
        committed = session
        return work(session)
      },
      ...limits,
    )
    if (committed) fence.adopt(committed)
    return results
  }
  const apply = applyOperations(db, operations, fence)
  const { submit } = groupCommit({
    ...observeBatches({ transact: transactBatch, apply }, observer),
    onLocked: observer.onLocked,
    sizeOf: (submission) => JSON.stringify(submission).length,
    keyOf: ({ operation, command }) => operationNamed(operations, operation).key(command),
    markRetry,
  })
  const progress = trackProgress(submit, (error) => observer.failed(failureReasonOf(error)))
  observer.track(progress)
  return { submit: progress.submit, progress }
}
