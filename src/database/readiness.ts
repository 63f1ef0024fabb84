import type { Db } from 'mongodb'
import type { ReadinessCheck } from '../operations/readiness.ts'
import { isAccessRefused } from './failures.ts'

/** A ping needs no login, and a dropped user's connections still answer it: hence the read, judged by refusal only. */
export const databaseChecks = (signals: Db): ReadinessCheck[] => [
  {
    name: 'database',
    fault: 'the database does not answer',
    code: 'database-unavailable',
    isReady: async (signal) => Boolean(await signals.command({ ping: 1 }, { signal })),
  },
  {
    name: 'database-user',
    fault: "the database refuses the server's user",
    code: 'database-unavailable',
    async isReady(signal) {
      try {
        await signals.collection('revocations').findOne({}, { projection: { _id: 1 }, signal })
      } catch (error) {
        if (isAccessRefused(error)) throw error
      }
      return true
    },
  },
]
