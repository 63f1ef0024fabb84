import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import type { Config } from '../config.ts'
import {
  type Connection,
  clientOptions,
  connectionFault,
  databaseOf,
  demandReplicaSet,
} from '../database/connection.ts'
import { isDatabaseOutOfReach } from '../database/failures.ts'
import { replicaSetName } from '../embedded-mongod/admin.ts'
import { readFileIfExists } from '../embedded-mongod/data-dir.ts'
import { lockDataDir } from '../embedded-mongod/data-dir-lock.ts'
import type { Logger } from '../embedded-mongod/logger.ts'
import { startEmbeddedMongod } from '../embedded-mongod/start.ts'
import { StartError } from '../start-error.ts'

/** The database of a command that an operator runs beside the server. */
export type Opened = {
  client: MongoClient
  database: string
  /** What went wrong later, in words for the terminal if it is for people. */
  fault(error: unknown): unknown
  close(): Promise<void>
}

type Embedded = Extract<Config['database'], { kind: 'embedded' }>

/** How long a server that starts or ends is waited for, in milliseconds. */
const patience = 10_000
/** What the command is called in MongoDB's log, and how long it waits for an answer, in milliseconds. */
type Command = { appName: string; socketTimeoutMS?: number }

/**
 * Opens the database that the server's configuration names.
 * @throws StartError when it is not there or refuses us.
 */
export async function openDatabase({ database }: Config, command: Command, log: Logger): Promise<Opened> {
  if (database.kind === 'embedded') return openEmbedded(database, command, log)
  const fault = (error: unknown) => connectionFault(error, database)
  return open(database, command, fault)
}

/** The mongod of the server that runs on the folder; else one of our own for as long as it takes. */
async function openEmbedded(
  { dataDir, mongodBinary, username, password }: Embedded,
  command: Command,
  log: Logger,
): Promise<Opened> {
  // Written when a first start has succeeded. A mistyped folder would get an empty MongoDB of its own.
  if ((await readFileIfExists(join(dataDir, 'mongod', 'series'))) === undefined)
    throw new StartError(`There is no database in DATA_DIR ${dataDir}: start the server once, or set DATA_DIR.`)
  // It takes the lock or fails: whoever comes first, there is never a second mongod.
  const mongod = await startEmbeddedMongod({ dataDir, username, password, mongodBinary, log }).catch(async (error) => {
    if (error instanceof StartError && (await isInUse(dataDir, log))) return null
    throw error
  })
  if (mongod === null) return joinServer(dataDir, { username, password }, command)
  // A server that starts now waits for us instead of giving up.
  mongod.announceClosing()
  const connection = { uri: mongod.uri, username, password }
  try {
    const opened = await open(connection, command, (error) => connectionFault(error, connection))
    return { ...opened, close: () => opened.close().finally(() => mongod.close()) }
  } catch (error) {
    await mongod.close()
    throw error
  }
}

/**
 * Whether a server has the folder. It is asked by taking the lock: who has it keeps it, and if nobody does we give it
 * back at once, said to be closing, so that a server that starts in this moment waits for us.
 */
async function isInUse(dataDir: string, log: Logger): Promise<boolean> {
  try {
    const lock = await lockDataDir(dataDir, patience, () => log.info('Waiting for a server to close'))
    lock.announceClosing()
    await lock.release()
    return false
  } catch (error) {
    if (error instanceof StartError) return true
    throw error
  }
}

/** Connects to the mongod of a running server, which may be starting. Nothing in the folder is touched. */
async function joinServer(dataDir: string, user: Omit<Connection, 'uri'>, command: Command): Promise<Opened> {
  const silent = new StartError(
    `A server has DATA_DIR ${dataDir}, and its MongoDB does not answer: try again when it does.`,
  )
  for (const deadline = performance.now() + patience; performance.now() < deadline; await sleep(200)) {
    const port = await readFileIfExists(join(dataDir, 'mongod', 'port'))
    if (port === undefined) continue
    const connection = { uri: `mongodb://127.0.0.1:${port}/?replicaSet=${replicaSetName}`, ...user }
    const fault = (error: unknown) => (isDatabaseOutOfReach(error) ? silent : connectionFault(error, connection))
    try {
      return await open(connection, command, fault)
    } catch (error) {
      if (error !== silent) throw error
    }
  }
  throw silent
}

async function open(connection: Connection, command: Command, fault: Opened['fault']): Promise<Opened> {
  const database = databaseOf(connection.uri)
  let client: MongoClient | undefined
  try {
    const opened = new MongoClient(connection.uri, { ...clientOptions(connection), ...command })
    client = opened
    await opened.connect()
    await demandReplicaSet(opened.db(database), connection)
    return { client: opened, database, fault, close: () => opened.close() }
  } catch (error) {
    await client?.close()
    throw fault(error)
  }
}
