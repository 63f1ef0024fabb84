import type { Db } from 'mongodb'
import type { ReadinessCheck } from '../operations/readiness.ts'
import { isAccessRefused } from './failures.ts'

/** Less than the readiness checks wait: see operations/readiness.ts. */
const maxTimeMS = 1_500

/** A dropped user's connections still answer a ping: hence reads. Each is judged by what the other one does not say. */
export function databaseChecks(signals: Db): ReadinessCheck[] {
  const read = (level: 'majority' | 'linearizable', signal: AbortSignal) =>
    signals
      .collection('revocations', { readConcern: { level } })
      .findOne({}, { projection: { _id: 1 }, maxTimeMS, signal })
  const isRefused = async (level: 'majority' | 'linearizable', signal: AbortSignal) => {
    try {
      await read(level, signal)
      return false
    } catch (error) {
      if (isAccessRefused(error)) return true
      throw error
    }
  }
  return [
    {
      name: 'database',
      fault: 'the database does not answer, or cannot reach a majority of its members',
      code: 'database-unavailable',
      blames: 'database',
      /** A primary answers a linearizable read only when a majority confirms it. After losing one, it stays primary for 10 s. */
      isReady: async (signal) => {
        await isRefused('linearizable', signal)
        return true
      },
    },
    {
      name: 'database-user',
      fault: "the database refuses the server's user",
      code: 'database-unavailable',
      isReady: async (signal) => !(await isRefused('majority', signal).catch(() => false)),
    },
  ]
}
