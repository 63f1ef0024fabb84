import type { ClientSession } from 'mongodb'
import {
  isAccessRefused,
  isConflict,
  isDatabaseOutOfReach,
  OutcomeUnknownError,
  OverloadedError,
} from '../database/failures.ts'
import type { Transact } from '../database/transaction.ts'
import type { ApplyBatch } from './group-commit.ts'
import type { Progress } from './progress.ts'

/** Why a command was not acknowledged: only after `unknown` may it have been written, or be yet. */
export type FailureReason = 'overloaded' | 'late' | 'refused' | 'unknown' | 'failed'

export type WriterObserver = {
  /** Called once: `progress` tells of the waiting commands at any time. */
  track(progress: Progress): void
  committed(commands: number, tookMs: number): void
  conflicted(): void
  failed(reason: FailureReason): void
  /** Called at most once a second while a document that commands write stays locked by another transaction. */
  onLocked(): void
}

export const unobserved: WriterObserver = {
  track: () => undefined,
  committed: () => undefined,
  conflicted: () => undefined,
  failed: () => undefined,
  onLocked: () => undefined,
}

export function failureReasonOf(error: unknown): FailureReason {
  if (error instanceof OverloadedError) return 'overloaded'
  if (error instanceof OutcomeUnknownError) return 'unknown'
  if (isAccessRefused(error)) return 'refused'
  return isDatabaseOutOfReach(error) ? 'late' : 'failed'
}

/** Reports each committed batch, and each try of one that conflicted. */
export function observeBatches<Item, Result>(
  { transact, apply }: { transact: Transact; apply: ApplyBatch<Item, Result> },
  observer: WriterObserver,
): { transact: Transact; apply: ApplyBatch<Item, Result> } {
  const sizes = new WeakMap<ClientSession, number>()
  return {
    async apply(items, session) {
      sizes.set(session, items.length)
      try {
        return await apply(items, session)
      } catch (error) {
        if (isConflict(error)) observer.conflicted()
        throw error
      }
    },
    async transact(work, ...limits) {
      const startedAt = performance.now()
      let size = 0
      const measured = async (session: ClientSession) => {
        const result = await work(session)
        size = sizes.get(session) ?? 0
        return result
      }
      const result = await transact(measured, ...limits)
      observer.committed(size, performance.now() - startedAt)
      return result
    },
  }
}
