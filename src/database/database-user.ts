import type { MongoClient } from 'mongodb'
import type { Credentials } from '../secrets/db-credentials.ts'
import {
  assertGranted,
  assertReplicaSet,
  type Connection,
  connectClient,
  type Purpose,
  toConnectionError,
} from './connection.ts'
import { keyedMutex } from './keyed-mutex.ts'
import type { LiveClient } from './live-client.ts'

export type Replacement = { outcome: 'replaced' } | { outcome: 'unchanged' }

type Member = { purpose: Purpose; live: Pick<LiveClient, 'db' | 'switchTo' | 'close'> }

/** The user of all clients of the process, which changes for all at once or for none. */
export function databaseUser(members: readonly Member[], connection: Connection) {
  const listeners: (() => void)[] = []
  const inTurn = keyedMutex()
  let current = connection
  let isRefused = false
  let isClosed = false

  async function replace({ username, password }: Credentials): Promise<Replacement> {
    const isSame = username === current.username && password === current.password
    if (isClosed || (isSame && !isRefused)) return { outcome: 'unchanged' }
    const next = { ...connection, username, password }
    const opened = await openAll(members, next)
    if (isClosed) {
      await Promise.all(opened.map(({ client }) => client.close()))
      return { outcome: 'unchanged' }
    }
    current = next
    isRefused = false
    const switched = opened.map(({ live, client }) => live.switchTo(client))
    for (const listener of listeners) listener()
    await Promise.all(switched)
    return { outcome: 'replaced' }
  }

  return {
    /** The same credentials change nothing unless MongoDB refused them. @throws StartError, with nothing changed */
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
      await Promise.all(members.map(({ live }) => live.close()))
    },
  }
}

async function openAll(members: readonly Member[], connection: Connection) {
  const opened: { live: Member['live']; client: MongoClient }[] = []
  const open = async ({ live, purpose }: Member) => {
    const client = await connectClient(connection, purpose)
    opened.push({ live, client })
    const db = client.db(live.db.databaseName)
    await assertReplicaSet(db, connection)
    await assertGranted(db, connection)
  }
  try {
    const [failed] = (await Promise.allSettled(members.map(open))).filter(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    return opened
  } catch (error) {
    await Promise.all(opened.map(({ client }) => client.close().catch(() => undefined)))
    throw toConnectionError(error, connection)
  }
}
