import type { FastifyBaseLogger } from 'fastify'
import { MongoServerError } from 'mongodb'
import { isAccessRefused } from './failures.ts'

/** Notes an error if it says that MongoDB refused the user; returns whether it does. */
export type NoteRefusal = (error: unknown) => boolean

const logIntervalMs = 10_000

/** Logs one line in 10 s, and without MongoDB's message, which contains the refused command. */
export function accessRefusals(log: FastifyBaseLogger, onAccessRefused: () => void): NoteRefusal {
  let loggedAt = Number.NEGATIVE_INFINITY
  return (error) => {
    if (!isAccessRefused(error)) return false
    onAccessRefused()
    const now = performance.now()
    if (now - loggedAt < logIntervalMs) return true
    loggedAt = now
    log.warn(error instanceof MongoServerError ? { mongodbCode: error.code } : {}, 'database refused the user')
    return true
  }
}
