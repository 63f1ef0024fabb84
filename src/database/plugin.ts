import mongodb from '@fastify/mongodb'
import fp from 'fastify-plugin'
import { type Db, type MongoClientOptions, MongoError, MongoServerError } from 'mongodb'
import { StartError } from '../start-error.ts'
import { isDatabaseOutOfReach } from './failures.ts'
import { toUuid } from './ids.ts'
import { type Collections, ensureIndexes } from './indexes.ts'
import { type Transact, transactor } from './transaction.ts'

/** Where MongoDB is, and as whom we speak to it. */
export type Connection = { uri: string; username: string; password: string }

/** For a process that may be killed and replaced. */
export type Succession = {
  /** The sessions that a predecessor may have left in the middle of a transaction, by id. */
  orphans: readonly string[]
  /** Called with the id of each session that is new. */
  onSession: (id: string) => void
}

declare module 'fastify' {
  interface FastifyInstance {
    db: Db
    transact: Transact
  }
}

/** The hosts of a connection string, for people: nothing else of it is shown. */
const hostsOf = (uri: string) => /^mongodb(?:\+srv)?:\/\/([^/?]+)/.exec(uri)?.[1] ?? 'the host of MONGODB_URI'

/** What is wrong with a connection, in words for the terminal. */
export function connectionFault(error: unknown, { uri, username }: Connection): unknown {
  if (error instanceof MongoServerError && (error.code === 18 || error.code === 8_000)) {
    return new StartError(`MongoDB at ${hostsOf(uri)} refuses the user ${username}: check DB_USER and DB_PASSWORD.`)
  }
  if (isDatabaseOutOfReach(error)) {
    return new StartError(`MongoDB does not answer at ${hostsOf(uri)}: check MONGODB_URI, and that it runs.`)
  }
  if (error instanceof MongoServerError && error.code === 13) {
    return new StartError(`MongoDB at ${hostsOf(uri)} does not let the user ${username} do its work: ${error.message}.`)
  }
  if (error instanceof MongoServerError || !(error instanceof Error)) return error
  // The driver could not make sense of the options, or a file or a name in them is not there.
  const isUri = error instanceof MongoError || 'code' in error
  return isUri ? new StartError(`MONGODB_URI cannot be used: ${error.message}`) : error
}

/** @throws StartError for a lone mongod: it has no transactions, and the first write of ours would show it. */
export async function demandReplicaSet(db: Db, { uri }: Connection): Promise<void> {
  const { setName, msg } = await db.command({ hello: 1 })
  if (setName !== undefined || msg === 'isdbgrid') return
  throw new StartError(
    `MongoDB at ${hostsOf(uri)} is no replica set, so it has no transactions: start it with --replSet and initiate it; one node is enough.`,
  )
}

/**
 * Ends the transactions that a killed process left open: until MongoDB gives them up by itself, after a minute, nobody
 * could write what they had written.
 */
async function endOrphans(db: Db, orphans: Succession['orphans']): Promise<void> {
  if (orphans.length > 0) await db.command({ killSessions: orphans.map((id) => ({ id: toUuid(id) })) })
}

type Options = { connection: Connection; collections: Collections; succession?: Succession | undefined }

/** The database of a connection string, ours unless it names one. */
export const databaseOf = (uri: string): string => /^[^/]+\/\/[^/]+\/([^?]+)/.exec(uri)?.[1] ?? 'rookery'

/**
 * How every client of ours speaks to MongoDB. Reads ask the primary for what a majority holds, writes wait until a
 * majority has journaled them: what was acknowledged is seen by everyone and survives kill -9 and failover.
 */
export const clientOptions = ({ uri, username, password }: Connection) =>
  ({
    auth: { username, password },
    ...(!/[?&]authSource=/i.test(uri) && { authSource: 'admin' }),
    appName: 'rookery',
    readConcern: { level: 'majority' },
    writeConcern: { w: 'majority', journal: true },
    readPreference: 'primary',
    retryReads: true,
    retryWrites: true,
    // A request waits 5 seconds at most: see http/deadline.ts.
    serverSelectionTimeoutMS: 4_000,
    waitQueueTimeoutMS: 4_000,
    connectTimeoutMS: 2_000,
    socketTimeoutMS: 30_000,
    heartbeatFrequencyMS: 1_000,
  }) satisfies MongoClientOptions

/**
 * Opens MongoDB for the life of the app: `app.db` with its indexes as the code wants them, and `app.transact`.
 *
 * @throws StartError when MongoDB is not there, refuses us or has other indexes.
 */
export const database = fp<Options>(async (app, { connection, collections, succession }) => {
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
    if (succession) await endOrphans(db, succession.orphans)
    await ensureIndexes(db, collections)
    app.decorate('db', db)
    app.decorate('transact', transactor(client, succession?.onSession))
  } catch (error) {
    // Nobody closes an app that did not come to be.
    await app.mongo?.client.close()
    throw connectionFault(error, connection)
  }
})
