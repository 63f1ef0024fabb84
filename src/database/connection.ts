import { type Db, type MongoClientOptions, MongoError, MongoServerError } from 'mongodb'
import { StartError } from '../start-error.ts'
import { isDatabaseOutOfReach } from './failures.ts'

/** Where MongoDB is, and as whom we speak to it. */
export type Connection = { uri: string; username: string; password: string }

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
export async function assertReplicaSet(db: Db, { uri }: Connection): Promise<void> {
  const { setName, msg } = await db.command({ hello: 1 })
  if (setName !== undefined || msg === 'isdbgrid') return
  throw new StartError(
    `MongoDB at ${hostsOf(uri)} is no replica set, so it has no transactions: start it with --replSet and initiate it; one node is enough.`,
  )
}
