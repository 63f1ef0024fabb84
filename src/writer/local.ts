import type { Db } from 'mongodb'
import type { Transact } from '../database/transaction.ts'
import { type ReadDeletedAccounts, writerFence } from './fence.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'
import { type AnyWriteOperation, applyOperations, markRetry, operationNamed, type Submission } from './operation.ts'

export function commitQueue(
  db: Db,
  transact: Transact,
  operations: readonly AnyWriteOperation[],
  readDeletedAccounts: ReadDeletedAccounts,
): GroupCommit<Submission, unknown> {
  return groupCommit({
    transact,
    apply: applyOperations(db, operations, writerFence(db, readDeletedAccounts)),
    sizeOf: (submission) => JSON.stringify(submission).length,
    keyOf: ({ operation, command }) => operationNamed(operations, operation).key(command),
    markRetry,
  })
}
