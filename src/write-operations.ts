import type { Db } from 'mongodb'
import { tombstoneStore } from './accounts/tombstone.ts'
import { type RecordFailureCommand, recordFailure } from './activity/record-failure.ts'
import type { Transact } from './database/transaction.ts'
import { type FollowCommand, follow } from './follows/follow.ts'
import type { ReadinessCheck } from './operations/readiness.ts'
import { type CreatePostCommand, createPost } from './posts/create.ts'
import { type DeletePostCommand, deletePost } from './posts/delete.ts'
import { type EditPostCommand, editPost } from './posts/edit.ts'
import { type ReactCommand, react } from './reactions/react.ts'
import { type SweepReactionsCommand, sweepReactions } from './reactions/sweep.ts'
import { commitQueue } from './writer/local.ts'
import type { WriterObserver } from './writer/observer.ts'
import { type AnyWriteOperation, execute, type Submit } from './writer/operation.ts'
import { trackProgress } from './writer/progress.ts'
import { writerChecks } from './writer/readiness.ts'
import { remoteSubmit } from './writer/remote.ts'

/** In the order in which a batch applies them: no command writes to a post that the same batch has deleted. */
const operations: readonly AnyWriteOperation[] = [
  createPost,
  editPost,
  react,
  follow,
  recordFailure,
  deletePost,
  sweepReactions,
]

/** A method for each operation; its promise resolves after the commit. See {@link execute} for what it throws. */
export const createWriter = (submit: Submit) => ({
  createPost: (command: CreatePostCommand, deadline?: number) => execute(submit, createPost, command, deadline),
  editPost: (command: EditPostCommand, deadline?: number) => execute(submit, editPost, command, deadline),
  react: (command: ReactCommand, deadline?: number) => execute(submit, react, command, deadline),
  follow: (command: FollowCommand, deadline?: number) => execute(submit, follow, command, deadline),
  recordFailure: (command: RecordFailureCommand, deadline?: number) =>
    execute(submit, recordFailure, command, deadline),
  deletePost: (command: DeletePostCommand, deadline?: number) => execute(submit, deletePost, command, deadline),
  sweepReactions: (command: SweepReactionsCommand, deadline?: number) =>
    execute(submit, sweepReactions, command, deadline),
})

export type Writer = ReturnType<typeof createWriter>

/** A writer that tells whether it can write. */
export type CheckedWriter = Writer & { checks: readonly ReadinessCheck[] }

export const writeQueue = (db: Db, transact: Transact, observer?: WriterObserver) =>
  commitQueue(db, transact, operations, tombstoneStore(db).deletedSince, observer)

export function localWriter(db: Db, transact: Transact, observer?: WriterObserver): CheckedWriter {
  const { submit, progress } = writeQueue(db, transact, observer)
  return { ...createWriter(submit), checks: writerChecks(progress) }
}

export function remoteWriter(path: string): CheckedWriter & { close(): void } {
  const { submit, silentMs, close } = remoteSubmit(path)
  const progress = trackProgress(submit)
  return { ...createWriter(progress.submit), checks: writerChecks(progress, silentMs), close }
}
