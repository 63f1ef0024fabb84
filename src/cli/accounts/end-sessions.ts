import type { Filter, UUID } from 'mongodb'
import { activityStore } from '../../activity/store.ts'
import { credentialStore } from '../../credentials/store.ts'
import { lowestId, toUuid } from '../../database/ids.ts'
import { deviceStore } from '../../sessions/devices.ts'
import { revocationCache } from '../../sessions/revocation-cache.ts'
import { sessionStore } from '../../sessions/store.ts'
import { type AccountCommand, counted, endedText, type Operator, operatorClient } from './command.ts'

type Owned = { account: UUID; trustedUntil?: Date }

const concurrency = 16
const pageSize = 1_000

async function endSessions({ db, notices, transact }: Operator, account: string): Promise<number> {
  const activity = activityStore(db, notices)
  const credentials = credentialStore(db)
  const sessions = sessionStore(db, revocationCache(db))
  return transact(async (transaction) => {
    const { count } = await sessions.endAll(account, transaction)
    // A login whose commit is late must not add a session afterwards.
    await credentials.touch(account, transaction)
    await deviceStore(db).endTrust(account, transaction)
    if (count > 0) await activity.record(account, 'session-revoked', operatorClient, transaction)
    return count
  })
}

export const endSessionsCommand: AccountCommand = async (operator, { id }) => [
  `${endedText(await endSessions(operator, id))}.`,
]

/** Ends every session and all trust that existed when the command began, account by account. */
export async function endAllSessions(operator: Operator): Promise<string[]> {
  const totals = { accounts: 0, sessions: 0 }
  for await (const accounts of accountsToEnd(operator)) {
    const queue = accounts.values()
    const work = async () => {
      for (const account of queue) {
        if (operator.stop.aborted) return
        const count = await endSessions(operator, account)
        totals.sessions += count
        if (count > 0) totals.accounts += 1
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    if (operator.stop.aborted) break
  }
  return [`${endedText(totals.sessions)}, of ${counted(totals.accounts, 'account')}.`]
}

async function* accountsToEnd(operator: Operator): AsyncGenerator<string[]> {
  yield* accountsIn(operator, 'sessions')
  yield* accountsIn(operator, 'devices', { trustedUntil: { $exists: true } })
}

async function* accountsIn({ db }: Operator, name: string, filter: Filter<Owned> = {}): AsyncGenerator<string[]> {
  const options = { projection: { _id: 0, account: 1 } }
  for (let after = lowestId; ; ) {
    const page = await db
      .collection<Owned>(name)
      .find({ ...filter, account: { $gt: after } }, options)
      .sort({ account: 1 })
      .limit(pageSize)
      .toArray()
    const accounts = [...new Set(page.map(({ account }) => account.toString()))]
    const last = accounts.at(-1)
    if (last === undefined) return
    yield accounts
    after = toUuid(last)
  }
}
