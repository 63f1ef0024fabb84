import { MongoBulkWriteError, MongoError, MongoNetworkError, MongoServerError } from 'mongodb'

/** Thrown when a transaction was not committed by its deadline, and never will be. */
export class TransactionTimeoutError extends Error {
  override readonly name = 'TransactionTimeoutError'
}

/** Thrown when MongoDB did not say whether it committed a transaction. */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError'
}

/** Thrown when MongoDB did not answer a query in time. */
export class QueryTimeoutError extends Error {
  override readonly name = 'QueryTimeoutError'
}

/** Thrown when a transaction kept conflicting with others. It wrote nothing. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError'
}

/** Whether another transaction wrote the same document: WriteConflict, LockTimeout. */
export const isConflict = (error: unknown): boolean =>
  error instanceof MongoServerError && (error.code === 112 || error.code === 24)

/** Whether MongoDB interrupted a command, because its session was killed. */
export function isInterrupted(thrown: unknown): boolean {
  const error = unwrapped(thrown)
  return error instanceof MongoServerError && error.code === 11601
}

/** Thrown inside a transaction that must be retried from a new snapshot. */
export class StaleError extends Error {
  override readonly name = 'StaleError'
}

/** Thrown when the queue of writes is so long that another one would miss its deadline. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
}

/** Thrown for a write that did not happen because MongoDB refused the user of the process that writes. */
export class AccessRefusedError extends Error {
  override readonly name = 'AccessRefusedError'
}

/** Unauthorized, AuthenticationFailed or Atlas's code: also as the cause for operations that waited for the login. */
export function isAccessRefused(thrown: unknown): boolean {
  const error = unwrapped(thrown)
  if (error instanceof AccessRefusedError) return true
  if (error instanceof MongoNetworkError) return isAccessRefused(error.cause)
  if (!(error instanceof MongoServerError)) return false
  return error.code === 13 || error.code === 18 || (error.code === 8_000 && error.hasErrorLabel('HandshakeError'))
}

/** The driver (mongodb 7.9) does not label every broken connection. A disconnected HTTP client has no `syscall`. */
export function isBrokenConnection(error: unknown): boolean {
  const cause = unwrapped(error)
  if (cause instanceof MongoNetworkError) return true
  if (!(cause instanceof Error) || !('code' in cause)) return false
  return cause.code === 'EPIPE' || ('syscall' in cause && brokenSocketCodes.has(String(cause.code)))
}

/** A bulk write wraps the error that interrupted it, which hides its name. */
const unwrapped = (error: unknown): unknown =>
  error instanceof MongoBulkWriteError && error.errorResponse instanceof Error ? error.errorResponse : error

const brokenSocketCodes = new Set(['ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])

export function isDatabaseOutOfReach(thrown: unknown): boolean {
  const error = unwrapped(thrown)
  if (error instanceof TransactionTimeoutError || error instanceof OutcomeUnknownError) return true
  if (error instanceof QueryTimeoutError || isBrokenConnection(error)) return true
  if (error instanceof MongoError && unreachableNames.has(error.name)) return true
  if (!(error instanceof MongoServerError)) return false
  return (
    error.hasErrorLabel('RetryableWriteError') ||
    error.hasErrorLabel('RetryableError') ||
    error.hasErrorLabel('TransientTransactionError') ||
    error.hasErrorLabel('UnknownTransactionCommitResult') ||
    retryableCodes.has(Number(error.code))
  )
}

const unreachableNames = new Set([
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

// Shutdown, step-down and election codes (MongoDB's "Retryable Reads" specification), and MaxTimeMSExpired.
const retryableCodes = new Set([6, 7, 50, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436])

/** SnapshotTooOld, SnapshotUnavailable. */
export const isSnapshotLost = (error: unknown): boolean =>
  error instanceof MongoServerError && (error.code === 239 || error.code === 246)

export const isDuplicateKey = (error: unknown): boolean => error instanceof MongoServerError && error.code === 11000
