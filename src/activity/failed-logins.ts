import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Db } from 'mongodb'
import { newId } from '../database/ids.ts'
import type { ClientInfo } from '../http/client-info.ts'
import { Problem } from '../http/problems.ts'
import type { Submitted } from '../writer/operation.ts'
import type { recordFailure } from './record-failure.ts'
import type { FailureEvent } from './schema.ts'

export type FailedLoginWriter = { recordFailure: Submitted<typeof recordFailure> }

const responseDelayMs = 500

const isUnauthenticated = (error: unknown) => error instanceof Problem && error.code === 'unauthenticated'

/** Tells the account's owner by mail of a failure, if it is one of those. */
type Tell = (account: string, event: FailureEvent, client: ClientInfo) => Promise<void>

export function failedLogins(db: Db, writer: FailedLoginWriter, log: FastifyBaseLogger, tell: Tell) {
  async function write(
    account: string,
    { ip, userAgent }: ClientInfo,
    event: FailureEvent,
    isExpected: boolean,
  ): Promise<boolean> {
    try {
      await writer.recordFailure({ id: newId(), account, ip, userAgent, event })
      if (!isExpected) await tell(account, event, { ip, userAgent })
      return true
    } catch (error) {
      if (isUnauthenticated(error)) return true
      log.warn({ err: error, failure: event }, 'failure was not recorded')
      return false
    }
  }

  return {
    /**
     * Before the response, unless the writer is busy.
     * @param options.isExpected - whether the owner needs no mail of it
     * @throws MongoError when the database is out of reach
     */
    async record(
      account: string,
      client: ClientInfo,
      event: FailureEvent = 'login-failed',
      { isExpected = false } = {},
    ): Promise<void> {
      const written = write(account, client, event, isExpected)
      const isWritten = await Promise.race([written, sleep(responseDelayMs, false, { ref: false })])
      if (!isWritten) await db.command({ ping: 1 })
    },
  }
}

export type FailedLogins = ReturnType<typeof failedLogins>
