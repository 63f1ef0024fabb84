import mongodb from '@fastify/mongodb'
import fp from 'fastify-plugin'
import type { Db } from 'mongodb'
import { accessRefusals, type NoteRefusal } from './access-refusals.ts'
import { assertReplicaSet, type Connection, clientOptions, databaseOf, toConnectionError } from './connection.ts'
import { toUuid } from './ids.ts'
import { type Collections, ensureIndexes } from './indexes.ts'
import { type LiveClient, liveClient } from './live-client.ts'
import { type Transact, transactor } from './transaction.ts'

export type CrashRecovery = {
  orphanedSessions: readonly string[]
  onSession: (id: string) => void
}

export type DatabaseUser = Pick<LiveClient, 'replace' | 'onReplaced'> & { noteRefusal: NoteRefusal }

declare module 'fastify' {
  interface FastifyInstance {
    /** Stays valid when the user is replaced; `mongo.client` is the first user's, and is closed then. */
    db: Db
    transact: Transact
    databaseUser: DatabaseUser
  }
}

/** Otherwise the transactions of a killed process lock their documents until MongoDB aborts them after a minute. */
async function killOrphanedSessions(db: Db, ids: CrashRecovery['orphanedSessions']): Promise<void> {
  if (ids.length > 0) await db.command({ killSessions: ids.map((id) => ({ id: toUuid(id) })) })
}

type Options = {
  connection: Connection
  collections: Collections
  assertData?: (db: Db) => Promise<void>
  crashRecovery?: CrashRecovery | undefined
  /** Called each time MongoDB refuses the user while the server runs: its credentials may have been rotated. */
  onAccessRefused?: (() => void) | undefined
}

/** @throws StartError when MongoDB is unreachable or refuses the user, has conflicting indexes, or fails `assertData` */
export const database = fp<Options>(async (app, options) => {
  const { connection, collections, assertData, crashRecovery, onAccessRefused } = options
  const name = databaseOf(connection.uri)
  try {
    await app.register(mongodb, { url: connection.uri, database: name, ...clientOptions(connection) })
    const { client, db } = app.mongo
    if (!db) throw new Error('@fastify/mongodb was given a database name and opened none')
    await assertReplicaSet(db, connection)
    if (crashRecovery) await killOrphanedSessions(db, crashRecovery.orphanedSessions)
    await ensureIndexes(db, collections)
    await assertData?.(db)
    const live = liveClient(client, name, connection)
    app.addHook('onClose', () => live.close())
    const noteRefusal = accessRefusals(app.log, () => {
      live.markRefused()
      onAccessRefused?.()
    })
    app.decorate('db', live.db)
    app.decorate('transact', transactor(live, { onSession: crashRecovery?.onSession }))
    app.decorate('databaseUser', { replace: live.replace, onReplaced: live.onReplaced, noteRefusal })
  } catch (error) {
    // Fastify does not run onClose hooks when a plugin fails.
    await app.mongo?.client.close()
    throw toConnectionError(error, connection)
  }
})
