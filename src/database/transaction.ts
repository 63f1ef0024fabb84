import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientSession, type MongoClient, MongoError, type TransactionOptions, UUID } from 'mongodb'
import { ConflictError, isBrokenConnection, isConflict, StaleError, TransactionTimeoutError } from './failures.ts'

const options: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
}
/**
 * How long a transaction is tried, in milliseconds; the driver's own loop would go on for 120 seconds. Less than the
 * 5 seconds after which http/deadline.ts answers 503: what commits after that could undo a newer, acknowledged write.
 */
export const transactionTimeoutMs = 4_500
/** How long a commit that began in time may take to be answered, in milliseconds. */
export const commitReplyMs = 400
/** The longest wait between two tries, in milliseconds. */
const longestWait = 40

/** Whether the driver marks an error so, or would have if it had seen what broke. */
const labelled = (error: unknown, label: 'TransientTransactionError' | 'UnknownTransactionCommitResult') =>
  (error instanceof MongoError && error.hasErrorLabel(label)) || isBrokenConnection(error)

const tooLate = (cause?: unknown) => new TransactionTimeoutError('no commit in time', { cause })

/**
 * Waits before the next of several tries: exponential backoff with full jitter (Brooker, "Exponential Backoff And
 * Jitter", AWS, 2015), 40 ms at most.
 * @param attempt - from 0; the longest wait unless given.
 */
export const delayRetry = (attempt = Number.POSITIVE_INFINITY): Promise<void> => sleep(waitBefore(attempt))
const waitBefore = (attempt: number) => Math.random() * Math.min(longestWait, 2 ** attempt)

/**
 * Runs a piece of work whose writes happen all together or not at all.
 * @param deadline - by `performance.now()`: no commit begins after it; 4.5 seconds from now unless given.
 * @param conflicts - how often it is run again because it conflicted; as long as there is time, unless given.
 */
export type Transact = <T>(
  work: (session: ClientSession) => Promise<T>,
  deadline?: number,
  conflicts?: number,
) => Promise<T>

/**
 * @param onSession - called with the id of each session of MongoDB that is used for the first time.
 * @returns a function that runs work in one transaction: snapshot reads, majority and journaled commit, tried again
 * after a random, growing wait when it conflicted or the answer was lost. Work may run more than once: ids are chosen
 * outside of it, and what it throws aborts the transaction and is thrown on.
 * @throws TransactionTimeoutError soon after the deadline, even if MongoDB hangs. A commit that began before it may
 * then have happened, or happen yet.
 * @throws ConflictError when it conflicted once more than it may.
 */
export function transactor(client: MongoClient, onSession?: (id: string) => void): Transact {
  const sessions = new Set<string>()
  const note = ({ id }: ClientSession) => {
    const name = id && UUID.createFromHexString(id.id.toString('hex')).toString()
    if (!name || sessions.has(name)) return
    if (sessions.size >= 1_000) sessions.clear()
    sessions.add(name)
    onSession?.(name)
  }
  return (work, deadline = performance.now() + transactionTimeoutMs, conflicts = Number.POSITIVE_INFINITY) => {
    const session = client.startSession()
    if (onSession) note(session)
    const running = run(session, work, deadline, conflicts)
    return settleBy(running, deadline + commitReplyMs)
  }
}

async function run<T>(
  session: ClientSession,
  work: (session: ClientSession) => Promise<T>,
  deadline: number,
  conflicts: number,
): Promise<T> {
  let met = 0
  const retry = async (attempt: number, cause: unknown) => {
    const wait = waitBefore(attempt)
    if (performance.now() + wait > deadline) throw tooLate(cause)
    await sleep(wait)
  }
  try {
    for (let attempt = 0; ; attempt += 1) {
      // Who was given less time may have none left.
      if (performance.now() > deadline) throw tooLate()
      try {
        session.startTransaction(options)
        const result = await work(session)
        if (performance.now() > deadline) throw tooLate()
        await commit(session, retry)
        return result
      } catch (error) {
        if (session.inTransaction()) await session.abortTransaction().catch(() => undefined)
        if (!(error instanceof StaleError || labelled(error, 'TransientTransactionError'))) throw error
        if (isConflict(error)) {
          met += 1
          if (met > conflicts) throw new ConflictError('others write the same', { cause: error })
        }
        await retry(attempt, error)
      }
    }
  } finally {
    await session.endSession().catch(() => undefined)
  }
}

/** Commits, asking again while the answer is lost: the server remembers the transaction and does not run it twice. */
async function commit(session: ClientSession, retry: (attempt: number, cause: unknown) => Promise<void>) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await session.commitTransaction()
    } catch (error) {
      // A commit that cannot have happened is for the caller to run again from the start.
      if (!labelled(error, 'UnknownTransactionCommitResult')) throw error
      await retry(attempt, error)
    }
  }
}

/** MongoDB may hang. The caller is answered at the limit; the transaction itself is aborted at its next step. */
async function settleBy<T>(running: Promise<T>, limit: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(tooLate()), limit - performance.now())
  try {
    return await Promise.race([running, promise])
  } finally {
    clearTimeout(timer)
  }
}
