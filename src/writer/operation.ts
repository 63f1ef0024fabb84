import type { Db } from 'mongodb'
import { unauthenticated } from '../http/problems.ts'
import type { BatchContext } from './batch-context.ts'
import type { WriterFence } from './fence.ts'
import type { ApplyBatch } from './group-commit.ts'

/** One kind of command that is written in batches. Commands and results are JSON: the writer can be another process. */
export type WriteOperation<Command extends object, Result> = {
  readonly name: string
  /** Names the document that other commands write too: the post, or an account's counts. */
  key(command: Command): string
  /** The account that must exist; null where a deleted account can still remove something. */
  actor(command: Command): string | null
  apply(context: BatchContext, commands: readonly Command[]): Promise<Result[]>
}

/** Its commands are those that {@link execute} submitted under its name. */
export type AnyWriteOperation = WriteOperation<object, unknown>

/** The writer's method for an operation. No commit begins after `deadline` (`performance.now()`, by default 4.5 s). */
export type Submitted<Operation> =
  Operation extends WriteOperation<infer Command, infer Result>
    ? (command: Command, deadline?: number) => Promise<Result>
    : never

export type Submission = { operation: string; command: object }

export type Submit = (submission: Submission, deadline?: number) => Promise<unknown>

const actorDeleted = 'actor deleted'

/** @throws Problem `unauthenticated` when the command's actor has been deleted */
export async function execute<Command extends object, Result>(
  submit: Submit,
  { name }: WriteOperation<Command, Result>,
  command: Command,
  deadline?: number,
): Promise<Result> {
  const result = await submit({ operation: name, command }, deadline)
  if (result === actorDeleted) throw unauthenticated()
  // The operation of this name returned it.
  return result as Result
}

/** For a command that got no answer and may have been applied. */
export const markRetry = ({ operation, command }: Submission): Submission => ({
  operation,
  command: { ...command, retry: true },
})

export function operationNamed(operations: readonly AnyWriteOperation[], name: string): AnyWriteOperation {
  const found = operations.find((operation) => operation.name === name)
  if (!found) throw new Error(`no write operation is named ${name}`)
  return found
}

/** One batch for all operations, in the order given: they write the same documents, and separate batches would conflict. */
export function applyOperations(
  db: Db,
  operations: readonly AnyWriteOperation[],
  fence: WriterFence,
): ApplyBatch<Submission, unknown> {
  return async (submissions, session) => {
    const epoch = await fence.enter(session)
    const context = { db, session, ...epoch }
    const results = new Map<Submission, unknown>()
    for (const submission of submissions) {
      const actor = operationNamed(operations, submission.operation).actor(submission.command)
      if (actor !== null && epoch.isDeleted(actor)) results.set(submission, actorDeleted)
    }
    for (const operation of operations) {
      const own = submissions.filter(
        (submission) => submission.operation === operation.name && !results.has(submission),
      )
      if (own.length === 0) continue
      const commands = own.map(({ command }) => command)
      const applied = await operation.apply(context, commands)
      for (const [n, submission] of own.entries()) results.set(submission, applied[n])
    }
    await fence.commitEpoch(epoch, session)
    return submissions.map((submission) => results.get(submission))
  }
}
