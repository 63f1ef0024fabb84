import { MongoError, MongoServerError } from 'mongodb'

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

/** Thrown when so much waits to be written that more would wait in vain. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
}

/**
 * Whether the connection to MongoDB broke while a command was written: the driver hands that on as its socket threw it,
 * without a name or a label of its own (mongodb 7.9, Connection.writeCommand). A client that leaves has no `syscall`.
 */
export function isBrokenSocket(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'EPIPE' || ('syscall' in error && brokenSocketCodes.has(String(error.code)))
}

const brokenSocketCodes = new Set(['ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])

/** Whether MongoDB could not be asked, or could not answer for now: the client may try again. */
export function isDatabaseOutOfReach(error: unknown): boolean {
  if (error instanceof TransactionTimeoutError || isBrokenSocket(error)) return true
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
