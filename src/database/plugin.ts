import mongodb from '@fastify/mongodb'
import fp from 'fastify-plugin'
import type { Db } from 'mongodb'
import { assertReplicaSet, type Connection, clientOptions, databaseOf, toConnectionError } from './connection.ts'
import { toUuid } from './ids.ts'
import { type Collections, ensureIndexes } from './indexes.ts'
import { type Transact, transactor } from './transaction.ts'

export type CrashRecovery = {
  orphanedSessions: readonly string[]
  onSession: (id: string) => void
}

declare module 'fastify' {
  interface FastifyInstance {
    db: Db
    transact: Transact
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
}

/** @throws StartError when MongoDB is unreachable or refuses the user, has conflicting indexes, or fails `assertData` */
export const database = fp<Options>(async (app, { connection, collections, assertData, crashRecovery }) => {
  try {
    await app.register(mongodb, {
      url: connection.uri,
      database: databaseOf(connection.uri),
      ...clientOptions(connection),
    })
    const { client, db } = app.mongo
    if (!db) throw new Error('@fastify/mongodb was given a database name and opened none')
    await assertReplicaSet(db, connection)
    if (crashRecovery) await killOrphanedSessions(db, crashRecovery.orphanedSessions)
    await ensureIndexes(db, collections)
    await assertData?.(db)
    app.decorate('db', db)
    app.decorate('transact', transactor(client, crashRecovery?.onSession))
  } catch (error) {
    // Fastify does not run onClose hooks when a plugin fails.
    await app.mongo?.client.close()
    throw toConnectionError(error, connection)
  }
})
