import { MongoBulkWriteError, MongoError, MongoNetworkError, MongoServerError } from 'mongodb'

/** Thrown when a transaction found no way to commit in the time it has. */
export class TransactionTimeoutError extends Error {
  override readonly name = 'TransactionTimeoutError'
}

/** Thrown when a transaction met others again and again at what it writes. Nothing of it was written. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError'
}

/** Whether somebody else has written the same and not committed yet, or since our snapshot: WriteConflict, LockTimeout. */
export const isConflict = (error: unknown): boolean =>
  error instanceof MongoServerError && (error.code === 112 || error.code === 24)

/** Thrown inside a transaction that has to be run again, from a new snapshot. */
export class StaleError extends Error {
  override readonly name = 'StaleError'
}

/** Thrown when so much waits to be written that more would wait in vain. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
}

/**
 * Whether the connection to MongoDB broke under a command. Not always does the driver (mongodb 7.9) label that: what it
 * could not write it hands on as its socket threw it (Connection.writeCommand), and what breaks after its monitor has
 * seen the outage it leaves as it is (Server.decorateCommandError). A client that leaves has no `syscall`.
 */
export function isBrokenConnection(error: unknown): boolean {
  const cause = unwrapped(error)
  if (cause instanceof MongoNetworkError) return true
  if (!(cause instanceof Error) || !('code' in cause)) return false
  return cause.code === 'EPIPE' || ('syscall' in cause && brokenSocketCodes.has(String(cause.code)))
}

/** A bulk write puts an error of its own around whatever broke it off, and so hides the name. */
const unwrapped = (error: unknown): unknown =>
  error instanceof MongoBulkWriteError && error.errorResponse instanceof Error ? error.errorResponse : error

const brokenSocketCodes = new Set(['ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])

/** Whether MongoDB could not be asked, or could not answer for now: the client may try again. */
export function isDatabaseOutOfReach(thrown: unknown): boolean {
  const error = unwrapped(thrown)
  if (error instanceof TransactionTimeoutError || isBrokenConnection(error)) return true
  if (error instanceof MongoError && unreachable.has(error.name)) return true
  if (!(error instanceof MongoServerError)) return false
  return (
    error.hasErrorLabel('RetryableWriteError') ||
    error.hasErrorLabel('RetryableError') ||
    error.hasErrorLabel('TransientTransactionError') ||
    error.hasErrorLabel('UnknownTransactionCommitResult') ||
    retryableCodes.has(Number(error.code))
  )
}

// By name: the driver does not export all of these classes.
const unreachable = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoPoolClearedError',
  'MongoPoolClearedOnNetworkError',
  'MongoPoolClosedError',
  'MongoServerSelectionError',
  'MongoServerClosedError',
  'MongoStalePrimaryError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'MongoWaitQueueTimeoutError',
  'MongoWriteConcernError',
])

// Shutdown, step-down and election codes, and MaxTimeMSExpired
// (MongoDB's "Retryable Reads" specification lists the former).
const retryableCodes = new Set([6, 7, 50, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436])

/** Whether a unique index, or `_id`, refused a write. */
export const isDuplicateKey = (error: unknown): boolean => error instanceof MongoServerError && error.code === 11000
