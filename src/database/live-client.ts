import { ClientSession, MongoClient } from 'mongodb'
import type { Credentials } from '../secrets/db-credentials.ts'
import { assertGranted, assertReplicaSet, type Connection, clientOptions, toConnectionError } from './connection.ts'
import { forwardingDatabase } from './forwarding.ts'
import { keyedMutex } from './keyed-mutex.ts'
import { observeUse, retiredClients } from './retired-clients.ts'

export type Replacement = { outcome: 'replaced' } | { outcome: 'unchanged' }

/** Longer than a request waits for the database (http/deadline.ts), and so than a transaction may pause. */
const idleBeforeCloseMs = 10_000
/** The first refusals are those of transactions in progress; later ones begin none. */
const maxAbandoned = 1_000

/**
 * The process's database, whose user can change while it serves. Operations go to the client of the last user, but a
 * transaction ends on the client on which it began. `first` is connected, and no operation uses it yet.
 */
export function liveClient(
  first: MongoClient,
  database: string,
  connection: Connection,
  idleMs: number = idleBeforeCloseMs,
) {
  const clients = new WeakMap<ClientSession, MongoClient>()
  const retired = retiredClients(idleMs)
  const listeners: (() => void)[] = []
  const inTurn = keyedMutex()
  const abandoned: ClientSession[] = []
  let current = { client: first, use: observeUse(first), connection }
  let isRefused = false
  let isClosed = false

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

  async function replace(credentials: Credentials): Promise<Replacement> {
    const { username, password } = current.connection
    const isSame = credentials.username === username && credentials.password === password
    if (isClosed || (isSame && !isRefused)) return { outcome: 'unchanged' }
    const next = { ...connection, username: credentials.username, password: credentials.password }
    const client = await openClient(next, database)
    if (isClosed) {
      await client.close()
      return { outcome: 'unchanged' }
    }
    const previous = current
    current = { client, use: observeUse(client), connection: next }
    isRefused = false
    retired.retire(previous.client, previous.use)
    for (const listener of listeners) listener()
    await killAbandoned()
    return { outcome: 'replaced' }
  }

  return {
    db: forwardingDatabase(database, (options) => clientOf(options) ?? current.client),

    startSession(): ClientSession {
      const session = current.client.startSession()
      clients.set(session, current.client)
      return session
    },

    /** Ends a transaction that its refused user could not abort: its documents would stay locked for a minute. */
    abandon(session: ClientSession): void {
      if (abandoned.length < maxAbandoned) abandoned.push(session)
      if (clients.get(session) !== current.client) void killAbandoned()
    },

    /**
     * Makes a client of this user the current one. The same credentials change nothing unless MongoDB has refused them.
     * @throws StartError, with nothing changed, if MongoDB is unreachable, refuses the user or denies it everything
     */
    replace: (credentials: Credentials): Promise<Replacement> => inTurn('replace', () => replace(credentials)),

    /** The listener runs after each replacement; what it holds on the previous client, such as a stream, it must release. */
    onReplaced(listener: () => void): void {
      listeners.push(listener)
    },

    /** MongoDB has refused the current user: the next replacement is carried out even with the same credentials. */
    markRefused(): void {
      isRefused = true
    },

    async close(): Promise<void> {
      isClosed = true
      await Promise.all([current.client.close(), retired.closeAll()])
    },
  }
}

export type LiveClient = ReturnType<typeof liveClient>

async function openClient(connection: Connection, database: string): Promise<MongoClient> {
  const client = new MongoClient(connection.uri, clientOptions(connection))
  try {
    await client.connect()
    const db = client.db(database)
    await assertReplicaSet(db, connection)
    await assertGranted(db, connection)
    return client
  } catch (error) {
    await client.close().catch(() => undefined)
    throw toConnectionError(error, connection)
  }
}
