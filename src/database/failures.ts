import { MongoError, MongoServerError } from 'mongodb'

/** Thrown when a transaction found no way to commit in the time it has. */
export class TransactionTimeoutError extends Error {
  override readonly name = 'TransactionTimeoutError'
}

/** Whether MongoDB could not be asked, or could not answer for now: the client may try again. */
export function isDatabaseOutOfReach(error: unknown): boolean {
  if (error instanceof TransactionTimeoutError) return true
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
