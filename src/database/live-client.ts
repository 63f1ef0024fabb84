import { ClientSession, type MongoClient } from 'mongodb'
import { forwardingDatabase } from './forwarding.ts'
import { observeUse, retiredClients } from './retired-clients.ts'

/** Longer than a request waits for the database (http/deadline.ts), and so than a transaction may pause. */
const idleBeforeCloseMs = 10_000
/** The first refusals are those of transactions in progress; later ones begin none. */
const maxAbandoned = 1_000

/** A database whose user can change; a transaction ends on the client where it began. Nothing uses `first` yet. */
export function liveClient(first: MongoClient, database: string, idleMs: number = idleBeforeCloseMs) {
  const clients = new WeakMap<ClientSession, MongoClient>()
  const retired = retiredClients(idleMs)
  const abandoned: ClientSession[] = []
  let current = { client: first, use: observeUse(first) }

  const clientOf = (options: unknown): MongoClient | undefined =>
    typeof options === 'object' && options !== null && 'session' in options && options.session instanceof ClientSession
      ? clients.get(options.session)
      : undefined

  /** MongoDB ends only sessions of the user that asks; those of another user end after a minute. */
  async function killAbandoned(): Promise<void> {
    const ids = abandoned.splice(0).flatMap(({ id }) => id ?? [])
    if (ids.length === 0) return
    await current.client
      .db(database)
      .command({ killSessions: ids })
      .catch(() => undefined)
  }

  return {
    db: forwardingDatabase(database, (options) => clientOf(options) ?? current.client),

    startSession(): ClientSession {
      const session = current.client.startSession()
      clients.set(session, current.client)
      return session
    },

    /** Of the present user's client. */
    use: () => current.use,

    /** Ends a transaction that its refused user could not abort: its documents would stay locked for a minute. */
    abandon(session: ClientSession): void {
      if (abandoned.length < maxAbandoned) abandoned.push(session)
      if (clients.get(session) !== current.client) void killAbandoned()
    },

    /** Operations go to this client from now on. The promise waits for what the previous user could not end. */
    switchTo(client: MongoClient): Promise<void> {
      const previous = current
      current = { client, use: observeUse(client) }
      retired.retire(previous.client, previous.use)
      return killAbandoned()
    },

    async close(): Promise<void> {
      await Promise.all([current.client.close(), retired.closeAll()])
    },
  }
}

export type LiveClient = ReturnType<typeof liveClient>
