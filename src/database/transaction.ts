import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientSession, type MongoClient, MongoError, type TransactionOptions, UUID } from 'mongodb'
import {
  ConflictError,
  isAccessRefused,
  isBrokenConnection,
  isConflict,
  OutcomeUnknownError,
  StaleError,
  TransactionTimeoutError,
} from './failures.ts'

const transactionOptions: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
}
/** Less than the 5 s of http/deadline.ts: a commit after the 503 could overwrite a newer, acknowledged write. */
export const transactionTimeoutMs = 4_500
/** How long a commit that began before the deadline may wait for its reply. */
export const commitReplyMs = 400
const maxRetryDelayMs = 40

const hasLabel = (error: unknown, label: 'TransientTransactionError' | 'UnknownTransactionCommitResult') =>
  (error instanceof MongoError && error.hasErrorLabel(label)) || isBrokenConnection(error)

const timeoutError = ({ cause, isCommitting }: Progress) =>
  isCommitting
    ? new OutcomeUnknownError('no answer to the commit in time', { cause })
    : new TransactionTimeoutError('no commit in time', { cause })

/** Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS, 2015), at most 40 ms. */
export const delayRetry = (attempt = Number.POSITIVE_INFINITY): Promise<void> => sleep(retryDelayMs(attempt))
const retryDelayMs = (attempt: number) => Math.random() * Math.min(maxRetryDelayMs, 2 ** attempt)

/** No commit begins after `deadline` (by `performance.now()`, 4.5 s from now by default). */
export type Transact = <T>(
  work: (session: ClientSession) => Promise<T>,
  deadline?: number,
  maxConflicts?: number,
) => Promise<T>

/** A MongoClient, or what stands for several. `abandon` takes a session whose transaction its user can no longer abort. */
export type SessionSource = Pick<MongoClient, 'startSession'> & { abandon?: (session: ClientSession) => void }

/**
 * Runs work in a transaction, and retries after a conflict or a lost reply. The work may run more than once: it must not
 * choose ids. Its own error aborts the transaction and is rethrown.
 * @throws TransactionTimeoutError soon after the deadline, even if MongoDB hangs
 * @throws OutcomeUnknownError likewise, if MongoDB has not answered the commit
 * @throws ConflictError after more than `maxConflicts` conflicts
 */
export function transactor(client: SessionSource, onSession?: (id: string) => void): Transact {
  const seen = new Set<string>()
  const noteSession = ({ id }: ClientSession) => {
    const uuid = id && UUID.createFromHexString(id.id.toString('hex')).toString()
    if (!uuid || seen.has(uuid)) return
    if (seen.size >= 1_000) seen.clear()
    seen.add(uuid)
    onSession?.(uuid)
  }
  return (work, deadline = performance.now() + transactionTimeoutMs, maxConflicts = Number.POSITIVE_INFINITY) => {
    const session = client.startSession()
    if (onSession) noteSession(session)
    const progress: Progress = { cause: undefined, isCommitting: false }
    const running = run(session, work, deadline, maxConflicts, progress).catch((error) => {
      if (isAccessRefused(error)) client.abandon?.(session)
      throw error
    })
    return settleBy(running, deadline + commitReplyMs, progress)
  }
}

/** The cause of the last retry is the cause of a timeout. `isCommitting`: a commit was sent, and has no answer yet. */
type Progress = { cause: unknown; isCommitting: boolean }

async function run<T>(
  session: ClientSession,
  work: (session: ClientSession) => Promise<T>,
  deadline: number,
  maxConflicts: number,
  progress: Progress,
): Promise<T> {
  let conflicts = 0
  const retry = async (attempt: number, cause: unknown) => {
    progress.cause = cause
    const delayMs = retryDelayMs(attempt)
    if (performance.now() + delayMs > deadline) throw timeoutError(progress)
    await sleep(delayMs)
  }
  try {
    for (let attempt = 0; ; attempt += 1) {
      if (performance.now() > deadline) throw timeoutError(progress)
      try {
        session.startTransaction(transactionOptions)
        const result = await work(session)
        if (performance.now() > deadline) throw timeoutError(progress)
        progress.isCommitting = true
        await commit(session, retry)
        return result
      } catch (error) {
        // Thrown by the commit too, but only if MongoDB has answered it.
        if (!(error instanceof OutcomeUnknownError)) progress.isCommitting = false
        if (session.inTransaction()) await session.abortTransaction().catch(() => undefined)
        // A login that is refused stays refused: a retry would only use up the time of the next request.
        if (isAccessRefused(error)) throw error
        if (!(error instanceof StaleError || hasLabel(error, 'TransientTransactionError'))) throw error
        if (isConflict(error)) {
          conflicts += 1
          if (conflicts > maxConflicts) throw new ConflictError('too many write conflicts', { cause: error })
        }
        await retry(attempt, error)
      }
    }
  } finally {
    await session.endSession().catch(() => undefined)
  }
}

/** Commits, and retries while the reply is lost: MongoDB applies a transaction once, however often it is committed. */
async function commit(session: ClientSession, retry: (attempt: number, cause: unknown) => Promise<void>) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await session.commitTransaction()
    } catch (error) {
      const isUnknown = hasLabel(error, 'UnknownTransactionCommitResult')
      // The first commit's reply was lost, and the second one was refused: whether it was applied stays unknown.
      if (isAccessRefused(error))
        throw isUnknown || attempt > 0 ? timeoutError({ cause: error, isCommitting: true }) : error
      // Without this label the commit was not applied: the caller retries the transaction from the start.
      if (!isUnknown) throw error
      await retry(attempt, error)
    }
  }
}

/** Answers the caller in time even if MongoDB hangs; the transaction is aborted at its next step. */
async function settleBy<T>(running: Promise<T>, limit: number, progress: Progress): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(timeoutError(progress)), limit - performance.now())
  try {
    return await Promise.race([running, promise])
  } finally {
    clearTimeout(timer)
  }
}
