import type { Db } from 'mongodb'
import type { Transact } from '../database/transaction.ts'
import { type ReadDeletedAccounts, writerFence } from './fence.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'
import { failureReasonOf, observeBatches, unobserved, type WriterObserver } from './observer.ts'
import { type AnyWriteOperation, applyOperations, markRetry, operationNamed, type Submission } from './operation.ts'
import { type Progress, trackProgress } from './progress.ts'

export function commitQueue(
  db: Db,
  transact: Transact,
  operations: readonly AnyWriteOperation[],
  readDeletedAccounts: ReadDeletedAccounts,
  observer: WriterObserver = unobserved,
): GroupCommit<Submission, unknown> & { progress: Progress } {
  const apply = applyOperations(db, operations, writerFence(db, readDeletedAccounts))
  const { submit } = groupCommit({
    ...observeBatches({ transact, apply }, observer),
    sizeOf: (submission) => JSON.stringify(submission).length,
    keyOf: ({ operation, command }) => operationNamed(operations, operation).key(command),
    markRetry,
  })
  const progress = trackProgress(submit, (error) => observer.failed(failureReasonOf(error)))
  observer.queued(progress)
  return { submit: progress.submit, progress }
}
