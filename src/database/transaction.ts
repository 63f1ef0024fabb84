import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ClientSession,
  type MongoClient,
  MongoError,
  MongoServerError,
  type TransactionOptions,
  UUID,
} from 'mongodb'
import {
  ConflictError,
  isAccessRefused,
  isBrokenConnection,
  isConflict,
  isDatabaseOutOfReach,
  isInterrupted,
  OutcomeUnknownError,
  StaleError,
} from './failures.ts'
import { type Progress, settleBy, timeoutError } from './transaction-deadline.ts'

const transactionOptions: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
}
/** Less than the 5 s of http/deadline.ts, so that the outcome is known when the client is answered. */
export const transactionTimeoutMs = 4_500
const maxRetryDelayMs = 40

const hasLabel = (error: unknown, label: 'TransientTransactionError' | 'UnknownTransactionCommitResult') =>
  (error instanceof MongoError && error.hasErrorLabel(label)) || isBrokenConnection(error)

/**
 * Whether a commit that failed may have been applied. The driver sends it twice by itself, and throws what the second try
 * met: that no server was found any more says nothing about the first.
 */
const mayBeCommitted = (error: unknown) =>
  hasLabel(error, 'UnknownTransactionCommitResult') ||
  isInterrupted(error) ||
  (isDatabaseOutOfReach(error) && !(error instanceof MongoServerError))

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

export type TransactorHooks = {
  /** Called with the id of each MongoDB session that is used. */
  onSession?: ((id: string) => void) | undefined
  /** Ends a session's transaction over another connection: see session-killer.ts. Resolves with whether it is ended. */
  kill?: ((session: ClientSession) => Promise<boolean>) | undefined
}

/**
 * Runs work in a transaction, and retries after a conflict or a lost reply: the work must not choose ids. Its own error
 * aborts the transaction. MongoDB ends it at the deadline: then it locks nothing, and is never committed.
 * @throws TransactionTimeoutError or ConflictError (nothing is written, now or later), OutcomeUnknownError (it may be)
 */
export function transactor(client: SessionSource, { onSession, kill }: TransactorHooks = {}): Transact {
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
    return settleBy(running, deadline, progress, async () => kill?.(session))
  }
}

const isTransient = (error: unknown) =>
  error instanceof StaleError || isInterrupted(error) || hasLabel(error, 'TransientTransactionError')

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
        await commit(session, retry, progress)
        return result
      } catch (error) {
        // Thrown by the commit too, but only if MongoDB has answered it.
        if (!(error instanceof OutcomeUnknownError)) progress.isCommitting = false
        if (session.inTransaction()) await session.abortTransaction().catch(() => undefined)
        // A login that is refused stays refused: a retry would only use up the time of the next request.
        if (isAccessRefused(error)) throw error
        if (!isTransient(error)) throw error
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
async function commit(
  session: ClientSession,
  retry: (attempt: number, cause: unknown) => Promise<void>,
  progress: Progress,
): Promise<void> {
  progress.isCommitting = true
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await session.commitTransaction()
    } catch (error) {
      const isUnknown = mayBeCommitted(error)
      // The first commit's reply was lost, and the second one was refused: whether it was applied stays unknown.
      if (isAccessRefused(error)) {
        if (!isUnknown && attempt === 0) throw error
        throw timeoutError({ ...progress, cause: error })
      }
      // It was not applied: the caller retries the transaction from the start.
      if (!isUnknown) throw error
      await retry(attempt, error)
    }
  }
}
