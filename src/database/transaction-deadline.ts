import { setTimeout as sleep } from 'node:timers/promises'
import { OutcomeUnknownError, TransactionTimeoutError } from './failures.ts'

/** How long after the deadline the outcome may become known: of a commit that began before it, or by ending it. */
export const commitReplyMs = 400
/** A commit that began before the deadline usually ends by itself; after this, MongoDB is asked to end it. */
const commitGraceMs = 150

/** @property cause - of the last retry, and so of a timeout */
export type Progress = { cause: unknown; isCommitting: boolean }

export const timeoutError = ({ cause, isCommitting }: Progress) =>
  isCommitting
    ? new OutcomeUnknownError('MongoDB did not say whether it committed', { cause })
    : new TransactionTimeoutError('no commit in time', { cause })

/** Answers the caller in time even if MongoDB hangs. */
export async function settleBy<T>(
  running: Promise<T>,
  deadline: number,
  progress: Progress,
  kill: () => Promise<boolean | undefined>,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  let isSettled = false
  async function end(): Promise<void> {
    if (progress.isCommitting) await sleep(commitGraceMs)
    if (isSettled) return
    await kill()
    // After the kill of a commit its reply says whether it was applied.
    if (!progress.isCommitting) reject(timeoutError(progress))
  }
  // It may have passed in a queue: then nothing runs.
  const leftMs = Math.max(0, deadline - performance.now())
  // Rounded up: a commit that begins just before the deadline must be known to have begun.
  const ending = setTimeout(() => void end(), Math.ceil(leftMs) + 1)
  const limit = setTimeout(() => reject(timeoutError(progress)), leftMs + commitReplyMs)
  try {
    return await Promise.race([running, promise])
  } finally {
    isSettled = true
    clearTimeout(ending)
    clearTimeout(limit)
  }
}
