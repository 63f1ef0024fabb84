import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import { assertNotRestoring } from '../backup/load.ts'
import { type Config, readConfig } from '../config.ts'
import {
  assertReplicaSet,
  type Connection,
  clientOptions,
  databaseOf,
  toConnectionError,
} from '../database/connection.ts'
import { assertDataVersion } from '../database/data-version.ts'
import { isDatabaseOutOfReach } from '../database/failures.ts'
import { replicaSetName } from '../embedded-mongod/admin.ts'
import { readFileIfExists } from '../embedded-mongod/data-dir.ts'
import { lockDataDir } from '../embedded-mongod/data-dir-lock.ts'
import { startEmbeddedMongod } from '../embedded-mongod/start.ts'
import { loadEnv } from '../environment/load-env.ts'
import type { Credentials } from '../secrets/db-credentials.ts'
import { StartError } from '../start-error.ts'
import { printError } from './command.ts'

type CommandDatabase = {
  client: MongoClient
  databaseName: string
  toStartError(error: unknown): unknown
  close(): Promise<void>
}

type ClientOptions = { appName: string; socketTimeoutMS?: number }

/** @property isNew - the command fills a database: DATA_DIR may be a new one, and no server may run on it */
type DatabaseOptions = ClientOptions & { isNew?: boolean }
type EmbeddedConfig = Extract<Config['database'], { kind: 'embedded' }> & Credentials

const root = fileURLToPath(new URL('../..', import.meta.url))
const log = { info: printError, warn: printError, error: printError }
const serverWaitMs = 10_000

/** Runs work on the server's database. @throws StartError if it is not configured, out of reach, or refuses the user */
export async function withDatabase<Result>(
  { isNew = false, ...options }: DatabaseOptions,
  work: (database: CommandDatabase, config: Config) => Promise<Result>,
): Promise<Result> {
  const { env, dotEnvNames } = loadEnv()
  const config = await readConfig(env, root, { createSecrets: isNew, dotEnvNames })
  const database = await openDatabase(config, options, isNew)
  try {
    if (!isNew) await assertNotRestoring(database.client.db(database.databaseName))
    return await work(database, config)
  } catch (error) {
    throw database.toStartError(error)
  } finally {
    await database.close()
  }
}

async function openDatabase(
  { database, secrets }: Config,
  options: ClientOptions,
  isNew: boolean,
): Promise<CommandDatabase> {
  if (database.kind === 'embedded') return openEmbedded({ ...database, ...secrets.database }, options, isNew)
  const connection = { uri: database.uri, ...secrets.database }
  return connect(connection, options, (error) => toConnectionError(error, connection))
}

/** Connects to the mongod of the server that runs on DATA_DIR, or starts one for the duration of the command. */
async function openEmbedded(config: EmbeddedConfig, options: ClientOptions, isNew: boolean): Promise<CommandDatabase> {
  const { dataDir, mongodBinary, username, password } = config
  // The series file exists after a successful first start. A mistyped path would otherwise get a new database.
  if (!isNew && (await readFileIfExists(join(dataDir, 'mongod', 'series'))) === undefined)
    throw new StartError(`There is no database in DATA_DIR ${dataDir}: start the server once, or set DATA_DIR.`)
  // Starting takes the lock or fails, so a concurrent start cannot result in a second mongod.
  const mongod = await startEmbeddedMongod({ dataDir, username, password, mongodBinary, log }).catch(async (error) => {
    if (!isNew && error instanceof StartError && (await isLocked(dataDir))) return null
    throw error
  })
  if (mongod === null) return connectToServer(dataDir, { username, password }, options)
  mongod.announceClosing()
  const connection = { uri: mongod.uri, username, password }
  try {
    const database = await connect(connection, options, (error) => toConnectionError(error, connection))
    return { ...database, close: () => database.close().finally(() => mongod.close()) }
  } catch (error) {
    await mongod.close()
    throw error
  }
}

/** Tests the lock by taking it, marked as closing: a server that starts at this moment waits instead of failing. */
async function isLocked(dataDir: string): Promise<boolean> {
  try {
    const lock = await lockDataDir(dataDir, serverWaitMs, () => log.info('Waiting for a server to close'))
    lock.announceClosing()
    await lock.release()
    return false
  } catch (error) {
    if (error instanceof StartError) return true
    throw error
  }
}

/** Connects to the mongod of a running server, which might still be starting. Writes nothing to DATA_DIR. */
async function connectToServer(
  dataDir: string,
  user: Omit<Connection, 'uri'>,
  options: ClientOptions,
): Promise<CommandDatabase> {
  const unreachable = new StartError(
    `A server uses DATA_DIR ${dataDir}, but its MongoDB does not respond: try again when it does.`,
    'out-of-reach',
  )
  for (const deadline = performance.now() + serverWaitMs; performance.now() < deadline; await sleep(200)) {
    const port = await readFileIfExists(join(dataDir, 'mongod', 'port'))
    if (port === undefined) continue
    const connection = { uri: `mongodb://127.0.0.1:${port}/?replicaSet=${replicaSetName}`, ...user }
    const toStartError = (error: unknown) =>
      isDatabaseOutOfReach(error) ? unreachable : toConnectionError(error, connection)
    try {
      return await connect(connection, options, toStartError)
    } catch (error) {
      if (error !== unreachable) throw error
    }
  }
  throw unreachable
}

async function connect(
  connection: Connection,
  options: ClientOptions,
  toStartError: CommandDatabase['toStartError'],
): Promise<CommandDatabase> {
  const databaseName = databaseOf(connection.uri)
  let client: MongoClient | undefined
  try {
    const opened = new MongoClient(connection.uri, { ...clientOptions(connection), ...options })
    client = opened
    await opened.connect()
    await assertReplicaSet(opened.db(databaseName), connection)
    await assertDataVersion(opened.db(databaseName))
    return { client: opened, databaseName, toStartError, close: () => opened.close() }
  } catch (error) {
    await client?.close()
    throw toStartError(error)
  }
}
