import type { ClientSession, Db } from 'mongodb'
import type { Transact } from '../database/transaction.ts'
import { type ReadDeletedSince, writerFence } from './fence.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'
import { type AnyWriteOperation, applyOperations, markRetry, operationNamed, type Submission } from './operation.ts'

export function commitQueue(
  db: Db,
  transact: Transact,
  operations: readonly AnyWriteOperation[],
  readDeletedSince: ReadDeletedSince,
): GroupCommit<Submission, unknown> {
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
  return groupCommit({
    transact: transactBatch,
    apply: applyOperations(db, operations, fence),
    sizeOf: (submission) => JSON.stringify(submission).length,
    keyOf: ({ operation, command }) => operationNamed(operations, operation).key(command),
    markRetry,
  })
}
