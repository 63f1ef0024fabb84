import mongodb from '@fastify/mongodb'
import fp from 'fastify-plugin'
import type { Db } from 'mongodb'
import { type Connection, clientOptions, connectionFault, databaseOf, demandReplicaSet } from './connection.ts'
import { toUuid } from './ids.ts'
import { type Collections, ensureIndexes } from './indexes.ts'
import { type Transact, transactor } from './transaction.ts'

/** For a process that may be killed and replaced. */
export type CrashRecovery = {
  /** The sessions that a predecessor may have left in the middle of a transaction, by id. */
  orphanedSessions: readonly string[]
  /** Called with the id of each session that is new. */
  onSession: (id: string) => void
}

declare module 'fastify' {
  interface FastifyInstance {
    db: Db
    transact: Transact
  }
}

/**
 * Ends the transactions that a killed process left open: until MongoDB gives them up by itself, after a minute, nobody
 * could write what they had written.
 */
async function killOrphanedSessions(db: Db, abandoned: CrashRecovery['orphanedSessions']): Promise<void> {
  if (abandoned.length > 0) await db.command({ killSessions: abandoned.map((id) => ({ id: toUuid(id) })) })
}

type Options = {
  connection: Connection
  collections: Collections
  /** What must be true of the data: throws a StartError when it is not. */
  demand?: (db: Db) => Promise<void>
  crashRecovery?: CrashRecovery | undefined
}

/**
 * Opens MongoDB for the life of the app: `app.db` with its indexes as the code wants them, and `app.transact`.
 *
 * @throws StartError when MongoDB is not there, refuses us, has other indexes or not what is demanded.
 */
export const database = fp<Options>(async (app, { connection, collections, demand, crashRecovery: succession }) => {
  try {
    await app.register(mongodb, {
      url: connection.uri,
      database: databaseOf(connection.uri),
      ...clientOptions(connection),
    })
    const { client, db } = app.mongo
    // @fastify/mongodb types it as optional, for clients without a database name.
    if (!db) throw new Error('@fastify/mongodb was given a database name and opened none')
    await demandReplicaSet(db, connection)
    if (succession) await killOrphanedSessions(db, succession.orphanedSessions)
    await ensureIndexes(db, collections)
    await demand?.(db)
    app.decorate('db', db)
    app.decorate('transact', transactor(client, succession?.onSession))
  } catch (error) {
    // Nobody closes an app that did not come to be.
    await app.mongo?.client.close()
    throw connectionFault(error, connection)
  }
})
