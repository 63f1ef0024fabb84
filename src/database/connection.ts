import { type Db, MongoClient, type MongoClientOptions, MongoError, MongoServerError } from 'mongodb'
import { StartError } from '../start-error.ts'
import { isDatabaseOutOfReach } from './failures.ts'
import { explainUnreachable } from './unreachable.ts'
import { hostsOf } from './uri-variable.ts'

export type Connection = {
  uri: string
  username: string
  password: string
  /** Called with each client for requests, whose commands the driver then reports. */
  observeClient?: (client: MongoClient) => void
}

export const databaseOf = (uri: string): string => /^[^/]+\/\/[^/]+\/([^?]+)/.exec(uri)?.[1] ?? 'rookery'

/** What a client of the server is for: each has its own connections, so that none of them waits behind another's. */
export type Purpose = 'requests' | 'writer' | 'signals' | 'indexes'

/** A burst finds `minPoolSize` connections open: opening one takes four round trips. */
const optionsOf = {
  requests: { minPoolSize: 10, maxConnecting: 10, socketTimeoutMS: 10_000 },
  // Half a command's deadline, so that a batch whose message was lost is tried again in time.
  writer: { minPoolSize: 2, maxPoolSize: 20, socketTimeoutMS: 2_000 },
  // Longer than the change stream waits for an event: see sessions/revocation-feed.ts.
  signals: { minPoolSize: 4, maxPoolSize: 20, maxConnecting: 4, socketTimeoutMS: 3_000 },
  // An index of a large collection takes hours to build.
  indexes: { socketTimeoutMS: 0 },
} satisfies Record<Purpose, MongoClientOptions>

/** Majority reads and journaled majority writes: what was acknowledged stays visible, and survives SIGKILL and failover. */
export const clientOptions = ({ uri, username, password, observeClient }: Connection, purpose?: Purpose) =>
  ({
    auth: { username, password },
    ...(!/[?&]authSource=/i.test(uri) && { authSource: 'admin' }),
    appName: purpose ? `rookery ${purpose}` : 'rookery',
    readConcern: { level: 'majority' },
    writeConcern: { w: 'majority', journal: true },
    readPreference: 'primary',
    retryReads: true,
    retryWrites: true,
    // Less than a request's deadline of 5 s: see http/deadline.ts.
    serverSelectionTimeoutMS: 4_000,
    waitQueueTimeoutMS: 4_000,
    connectTimeoutMS: 2_000,
    socketTimeoutMS: 30_000,
    heartbeatFrequencyMS: 1_000,
    ...(observeClient && purpose === 'requests' && { monitorCommands: true }),
    ...(purpose && withoutThoseOf(uri, optionsOf[purpose])),
  }) satisfies MongoClientOptions

/** What the operator sets in MONGODB_URI wins. */
const withoutThoseOf = (uri: string, options: MongoClientOptions): MongoClientOptions =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !new RegExp(`[?&]${name}=`, 'i').test(uri)))

/** @throws what {@link toConnectionError} explains */
export async function connectClient(connection: Connection, purpose: Purpose): Promise<MongoClient> {
  const client = new MongoClient(connection.uri, clientOptions(connection, purpose))
  if (purpose === 'requests') connection.observeClient?.(client)
  try {
    return await client.connect()
  } catch (error) {
    await client.close().catch(() => undefined)
    throw error
  }
}

/** MongoDB quotes the complete command, whose first member says enough. */
const withoutCommand = (message: string) => message.replace(/(\{ \w+: [^,}]*[^,} ]).*$/s, '$1 … }')

/** mongodb+srv looks its hosts up before there is a client. */
const isUnknownService = (error: unknown) =>
  error instanceof Error && 'syscall' in error && error.syscall === 'querySrv'

/** Turns a connection error that the operator can act on into a StartError; returns any other error unchanged. */
export function toConnectionError(
  error: unknown,
  { uri, username }: Connection,
  variables = 'DB_USER and DB_PASSWORD',
): unknown {
  if (error instanceof MongoServerError && (error.code === 18 || error.code === 8_000)) {
    return new StartError(`MongoDB at ${hostsOf(uri)} refuses the user ${username}: check ${variables}.`)
  }
  if (isDatabaseOutOfReach(error) || isUnknownService(error)) return explainUnreachable(error, uri)
  if (error instanceof MongoServerError && error.code === 13) {
    return new StartError(
      `MongoDB at ${hostsOf(uri)} denies the user ${username} a necessary privilege: ${withoutCommand(error.message)}.`,
    )
  }
  if (error instanceof MongoServerError || !(error instanceof Error)) return error
  // The driver cannot parse the URI, or a file or host name in it does not exist.
  const isUri = error instanceof MongoError || 'code' in error
  return isUri ? new StartError(`MONGODB_URI cannot be used: ${error.message}`) : error
}

/** @throws StartError for a standalone mongod: it has no transactions, so the first write would fail */
export async function assertReplicaSet(db: Db, { uri }: Connection): Promise<void> {
  const { setName, msg } = await db.command({ hello: 1 })
  if (setName !== undefined || msg === 'isdbgrid') return
  throw new StartError(
    `MongoDB at ${hostsOf(uri)} is not a replica set and has no transactions: start it with --replSet and initiate it; one node is enough.`,
  )
}

/** @throws StartError for a user without a role on the database: MongoDB lets it log in, and refuses what it does then */
export async function assertGranted(db: Db, { uri, username }: Connection): Promise<void> {
  const granted = await db.listCollections({}, { nameOnly: true, authorizedCollections: true }).toArray()
  if (granted.length > 0) return
  throw new StartError(
    `MongoDB at ${hostsOf(uri)} denies the user ${username} every collection of the database ${db.databaseName}: grant it the roles of the user before it.`,
  )
}
